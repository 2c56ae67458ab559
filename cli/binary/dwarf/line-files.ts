/**
 * The source files that a unit numbers, for DW_AT_decl_file and DW_AT_call_file: the head of its line table. Must not
 * read the table's program. Source: DWARF 5 section 6.2.4; DWARF 4 section 6.2.4.
 */
import { AT, FORM, LNCT } from "./constants.js";
import { Cursor, DwarfError } from "./cursor.js";
import { orNothing } from "./damage.js";
import { rootOf } from "./die.js";
import { skipForm, stringIndexAt } from "./form.js";
import type { Unit } from "./unit.js";

/** More than any unit includes. */
const MOST_FILES = 100_000;

interface Named {
  readonly name: string;
  /** Index of its folder. */
  readonly folder: number;
}

const tables = new WeakMap<Unit, readonly (string | null)[]>();

/** The path of a unit's file by its number; null if unknown. Never throws for bad bytes. */
export function fileOf(unit: Unit, number: number | undefined): string | null {
  return number === undefined ? null : (filesOf(unit)[number] ?? null);
}

/** The paths of all files of a unit, by their numbers; empty if unknown. Never throws for bad bytes. */
export function filesOf(unit: Unit): readonly (string | null)[] {
  const known = tables.get(unit);
  if (known !== undefined) return known;
  const files = orNothing(() => readFiles(unit));
  tables.set(unit, files);
  return files;
}

function readFiles(unit: Unit): readonly (string | null)[] {
  const offset = rootOf(unit).number(AT.stmt_list);
  const home = rootOf(unit).text(AT.comp_dir) ?? "";
  if (offset === undefined) return [];
  const cursor = new Cursor(unit.info.sections.get("line"), offset);
  if (cursor.u32() === 0xffffffff) cursor.skip(8);
  const version = cursor.u16();
  if (version < 2 || version > 5) throw new DwarfError(`a line table has version ${version}`);
  if (version >= 5) cursor.skip(2); // sizes of addresses and of segment selectors
  cursor.offset(unit.offsetSize);
  cursor.skip(version >= 4 ? 5 : 4);
  cursor.skip(cursor.u8() - 1); // lengths of the standard opcodes
  // Only version 5 lists the unit's own folder and file, as number 0.
  const [folders, files] =
    version >= 5
      ? [readList(cursor, unit), readList(cursor, unit)]
      : [
          [NO_NAME, ...readOldList(cursor, () => 0)],
          [null, ...readOldList(cursor, () => oldFolder(cursor))],
        ];
  return files.map((file) => (file === null ? null : join(home, join(folders[file.folder]?.name ?? "", file.name))));
}

const NO_NAME: Named = { name: "", folder: 0 };

const join = (folder: string, name: string): string =>
  name.startsWith("/") || folder === "" ? name : name === "" ? folder : `${folder}/${name}`;

/** Until an empty name. @param folder reads what follows a name */
function readOldList(cursor: Cursor, folder: () => number): Named[] {
  const found: Named[] = [];
  for (let name = cursor.text(); name !== ""; name = cursor.text()) {
    found.push({ name, folder: folder() });
    if (found.length > MOST_FILES) throw new DwarfError("a line table names too many files");
  }
  return found;
}

function oldFolder(cursor: Cursor): number {
  const folder = cursor.uleb();
  cursor.uleb(); // time
  cursor.uleb(); // size
  return folder;
}

function readList(cursor: Cursor, unit: Unit): Named[] {
  const format = Array.from({ length: cursor.u8() }, () => ({ content: cursor.uleb(), form: cursor.uleb() }));
  const count = cursor.uleb();
  if (count > MOST_FILES) throw new DwarfError("a line table names too many files");
  return Array.from({ length: count }, () => {
    let [name, folder] = ["", 0];
    for (const { content, form } of format)
      if (content === LNCT.path) name = readName(cursor, form, unit);
      else if (content === LNCT.directory_index) folder = readIndex(cursor, form, unit);
      else skipForm(cursor, form, unit);
    return { name, folder };
  });
}

function readName(cursor: Cursor, form: number, unit: Unit): string {
  const { sections } = unit.info;
  if (form === FORM.string) return cursor.text();
  if (form === FORM.line_strp) return new Cursor(sections.get("line_str"), cursor.offset(unit.offsetSize)).text();
  if (form === FORM.strp) return new Cursor(sections.get("str"), cursor.offset(unit.offsetSize)).text();
  if (stringIndexAt(cursor, form) === null) throw new DwarfError(`a file's name has the unknown form ${form}`);
  return "";
}

function readIndex(cursor: Cursor, form: number, unit: Unit): number {
  if (form === FORM.udata) return cursor.uleb();
  if (form === FORM.data1) return cursor.u8();
  if (form === FORM.data2) return cursor.u16();
  skipForm(cursor, form, unit);
  return 0;
}
