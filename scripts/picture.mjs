/**
 * docs/screen.svg, the README's picture: a real session in a real terminal (tmux), edited as a user would, then drawn as it
 * stands there. `npm run picture`.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import stringWidth from "string-width";
import { EMPTY, feed } from "../dist/cli/text/scrollback.js";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const COLUMNS = 88;
const ROWS = 22;
const LIMIT_MS = 30_000;
/** ms between looks at the screen. */
const LOOK_MS = 50;

// Drawing -------------------------------------------------------------------------------------------------------------

/** Pixels of a character, and around the whole. */
const CELL = { width: 8.4, height: 18 };
const MARGIN = 14;
const COLOURS = { plain: "#d8dee9", back: "#1b2028", dim: "#7b8694" };
/** The terminal's own colours, as most dark themes have them. */
const NAMED = {
  red: "#e06c75",
  green: "#98c379",
  yellow: "#e5c07b",
  blue: "#61afef",
  magenta: "#c678dd",
  cyan: "#56b6c2",
};

const xml = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const x = (column) => (MARGIN + column * CELL.width).toFixed(1);
const y = (row) => (MARGIN + row * CELL.height).toFixed(1);

function drawSpan({ text, style }, row, column) {
  const width = stringWidth(text);
  const colour = NAMED[style.color] ?? (style.dim ? COLOURS.dim : COLOURS.plain);
  const length = (width * CELL.width).toFixed(1);
  const box = style.inverse
    ? `<rect x="${x(column)}" y="${y(row)}" width="${length}" height="${CELL.height}" fill="${colour}"/>`
    : "";
  if (text.trim() === "") return box;
  const attributes = [
    `x="${x(column)}"`,
    `y="${(Number(y(row)) + 13.5).toFixed(1)}"`,
    `fill="${style.inverse ? COLOURS.back : colour}"`,
    `textLength="${length}" lengthAdjust="spacingAndGlyphs"`, // whatever font the reader has, columns stay columns
    ...(style.bold ? ['font-weight="bold"'] : []),
  ];
  return `${box}<text ${attributes.join(" ")}>${xml(text)}</text>`;
}

function draw(rows) {
  const width = (COLUMNS * CELL.width + 2 * MARGIN).toFixed(0);
  const height = (ROWS * CELL.height + 2 * MARGIN).toFixed(0);
  const spans = rows.flatMap((line, row) => {
    let column = 0;
    return line.map((span) => {
      const drawn = drawSpan(span, row, column);
      column += stringWidth(span.text);
      return drawn;
    });
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" xml:space="preserve">`,
    `<title>The screen of hotpatch: made by npm run picture</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${COLOURS.back}"/>`,
    ...spans.filter((text) => text !== ""),
    "</svg>\n",
  ].join("\n");
}

// The session -----------------------------------------------------------------------------------------------------------

const scratch = mkdtempSync(join(tmpdir(), "hotpatch-picture-"));
const socket = `hotpatch-picture-${process.pid}`;
const tmux = (...args) => {
  const { TMUX: _, CI: __, NO_COLOR: ___, ...env } = process.env;
  return execFileSync("tmux", ["-L", socket, ...args], {
    encoding: "utf8",
    cwd: scratch,
    env: { ...env, LANG: "C.UTF-8" },
  });
};

async function shows(fits) {
  const until = Date.now() + LIMIT_MS;
  for (;;) {
    const text = tmux("capture-pane", "-p");
    if (fits.test(text)) return;
    if (Date.now() > until) throw new Error(`the screen did not show ${fits}:\n${text}`);
    await wait(LOOK_MS);
  }
}

function edit(before, after) {
  const file = join(scratch, "src/game.c");
  const text = readFileSync(file, "utf8");
  if (!text.includes(before)) throw new Error(`game.c has no "${before}" to edit`);
  writeFileSync(file, text.replace(before, after));
}

try {
  cpSync(join(root, "samples/c"), join(scratch, "src"), {
    recursive: true,
    filter: (path) => !path.endsWith("/build"),
  });
  const make = `make -s -C src HOTPATCH_INCLUDE='${join(root, "mark/include")}'`;
  execFileSync("/bin/sh", ["-c", `${make} && cp src/build/host game`], { cwd: scratch, stdio: ["ignore", 2, 2] });
  const library = "src/build/libgame.so";
  const command = `'${process.execPath}' '${join(root, "dist/cli/main.js")}' spawn -l ${library} -b "${make}" -w src -- ./game ${library}`;
  tmux("-f", "/dev/null", "new-session", "-d", "-x", String(COLUMNS), "-y", String(ROWS), command);
  await shows(/tick 3 /);
  edit("return 10;", "return 25;");
  await shows(/generation 1[\s\S]*damage 25/);
  edit("return 25;", "return 25 +;");
  await shows(/build failed/);
  edit("return 25 +;", "return 40;");
  await shows(/generation 2[\s\S]*damage 40/);
  edit('"hello"', '"hello, hotpatch"');
  await shows(/generation 3[\s\S]*hello, hotpatch[^\n]*\n[^\n]*hello, hotpatch/);
  const { lines } = feed(EMPTY, tmux("capture-pane", "-p", "-e"));
  writeFileSync(join(root, "docs/screen.svg"), draw(lines.slice(0, ROWS)));
  tmux("send-keys", "q");
  await wait(LOOK_MS);
} finally {
  try {
    tmux("kill-server");
  } catch {
    // it has ended with its last window
  }
  rmSync(scratch, { recursive: true, force: true });
}
