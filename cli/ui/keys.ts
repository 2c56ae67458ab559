/** Decodes terminal input into keys. Pure except for the timeout that tells Esc from the start of a sequence. */

export interface Key {
  /** "a", "up", "pageup", "enter", "esc", "ctrl-c", "paste", ... */
  readonly name: string;
  /** What the terminal sent, to be passed on to the host. */
  readonly raw: string;
}

const CODES: Readonly<Record<string, string>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  H: "home",
  F: "end",
  Z: "backtab",
  "1~": "home",
  "2~": "insert",
  "3~": "delete",
  "4~": "end",
  "5~": "pageup",
  "6~": "pagedown",
  "7~": "home",
  "8~": "end",
};
const NAMED: Readonly<Record<string, string>> = {
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\x1b": "esc",
  "\x7f": "backspace",
  "\b": "backspace",
};

const PASTE_BEGIN = "\x1b[200~";
const PASTE_END = "\x1b[201~";
/** Characters of a paste that are accepted; the rest is dropped. */
const LONGEST_PASTE = 1024 * 1024;
// Source: xterm's control sequences, "PC-style function keys": CSI, or SS3 in application mode.
const SEQUENCE = /^\x1b(?:\[|O)([0-9;]*)([A-Za-z~])/;
const UNFINISHED = /^\x1b(?:[[O][0-9;]*)?$/;

/** Complete keys, and an incomplete rest. */
export function splitKeys(text: string): { readonly keys: Key[]; readonly rest: string } {
  const keys: Key[] = [];
  for (let rest = text; rest !== ""; ) {
    if (rest.startsWith(PASTE_BEGIN)) {
      const end = rest.indexOf(PASTE_END);
      if (end < 0 && rest.length < LONGEST_PASTE) return { keys, rest };
      keys.push({ name: "paste", raw: rest.slice(PASTE_BEGIN.length, end < 0 ? LONGEST_PASTE : end) });
      rest = end < 0 ? "" : rest.slice(end + PASTE_END.length);
      continue;
    }
    if (UNFINISHED.test(rest)) return { keys, rest };
    const key = first(rest);
    keys.push(key);
    rest = rest.slice(key.raw.length);
  }
  return { keys, rest: "" };
}

function first(text: string): Key {
  const sequence = SEQUENCE.exec(text);
  if (sequence !== null) {
    const [raw, parameters = "", final = ""] = sequence;
    return { name: CODES[final === "~" ? `${parameters.split(";")[0]}~` : final] ?? "unknown", raw };
  }
  const c = String.fromCodePoint(text.codePointAt(0) ?? 0);
  if (c === "\x1b" && text.length > 1) {
    const next = String.fromCodePoint(text.codePointAt(1) ?? 0);
    return next === "\x1b" ? { name: "esc", raw: c } : { name: `alt-${next}`, raw: c + next };
  }
  const named = NAMED[c];
  if (named !== undefined) return { name: named, raw: c };
  if (c < " ") return { name: `ctrl-${String.fromCharCode(c.charCodeAt(0) + 96)}`, raw: c };
  return { name: c, raw: c };
}

/** ms after which a lone Esc is the key, not the start of a sequence. */
const ESC_MS = 30;

export class Keyboard {
  readonly #onKey: (key: Key) => void;
  #rest = "";
  #timer: NodeJS.Timeout | undefined;

  constructor(onKey: (key: Key) => void) {
    this.#onKey = onKey;
  }

  take(text: string): void {
    clearTimeout(this.#timer);
    // Alt-x arrives in one piece; separate pieces were typed separately. The rest of a sequence may arrive late.
    if (this.#rest === "\x1b" && !/^[[O]/.test(text)) this.#giveUp();
    const { keys, rest } = splitKeys(this.#rest + text);
    this.#rest = rest;
    if (rest !== "" && !rest.startsWith(PASTE_BEGIN)) this.#timer = setTimeout(() => this.#giveUp(), ESC_MS);
    for (const key of keys) this.#onKey(key);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #giveUp(): void {
    const text = this.#rest;
    this.#rest = "";
    this.#onKey({ name: "esc", raw: "\x1b" });
    if (text.length > 1) this.take(text.slice(1));
  }
}
