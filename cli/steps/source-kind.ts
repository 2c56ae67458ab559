/** Which files are sources, by their names and first bytes, where nothing else tells. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { basename, extname } from "node:path";

/** Results of builds, logs, and what editors leave beside a file while they save it: never sources, whoever tracks them. */
const NEVER = [
  /\.(o|obj|lo|so|a|d|gch|pch|pcm|rlib|rmeta|pyc|class|dwo|dwp|gcno|gcda|tmp|new|bak|orig|rej|log)$/,
  /\.(so|log)\..+$/,
  /\.sw[k-px]$|~$|^4913$|^#.*#$|^\.#|^___jb_|^\.goutputstream-|^core(\.\d+)?$|^nohup\.out$/,
];

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Extensions, in lower case, of what compilers, assemblers, linkers and generators of sources read. */
const EXTENSIONS = words(`
  c h i cc hh ii cpp hpp ipp tpp tcc inl inc cxx hxx ixx cppm c++ h++ cu cuh ispc m mm s asm nasm def rs zig
  go f f90 f95 f03 f08 adb ads pas nim cr v pyx pxd y yy l ll re rl g4 proto fbs capnp thrift idl gperf
  glsl vert frag comp geom hlsl wgsl in tmpl j2 map ld lds ver sym mk mak cmake gn gni bzl bazel py sh pl lua
`);
/** Names, in lower case, of what build tools read. */
const NAMES = words(`
  makefile gnumakefile cmakelists.txt cargo.toml cargo.lock meson.build meson_options.txt meson.options build workspace
  justfile build.ninja sconstruct sconscript wscript configure configure.ac tupfile
`);

/** Whether a name says that the file is never read by a build, or not for its own sake. */
export const isNeverSource = (path: string): boolean => NEVER.some((pattern) => pattern.test(basename(path)));

/** Whether a name says that builds read the file. */
export function isSourceName(path: string): boolean {
  const name = basename(path).toLowerCase();
  if (name.startsWith(".") || isNeverSource(path)) return false;
  return NAMES.has(name) || EXTENSIONS.has(extname(name).slice(1));
}

/** How results of builds begin that no name gives away: programs and libraries (ELF), archives. */
const RESULT_MAGICS = [Buffer.from("\x7fELF"), Buffer.from("!<arch>\n")];
/** How such a file begins while the linker has yet to write its header. */
const UNWRITTEN = Buffer.alloc(4);

/** What a file's first bytes say of it; "empty" when there are none, also when it cannot be read. */
export function kindOf(path: string): "result" | "empty" | "other" {
  const head = Buffer.alloc(8);
  let length = 0;
  try {
    if (!statSync(path).isFile()) return "other"; // to open a pipe would wait for its writer
    const file = openSync(path, "r");
    try {
      length = readSync(file, head);
    } finally {
      closeSync(file);
    }
  } catch {
    return "empty";
  }
  if (length === 0) return "empty";
  return [...RESULT_MAGICS, UNWRITTEN].some((magic) => head.subarray(0, magic.length).equals(magic))
    ? "result"
    : "other";
}
