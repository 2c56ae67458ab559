/** Decides what may change in a vtable: live objects keep theirs, and callers built earlier use its old slots. Pure. */
import { DEEPEST, type Inside } from "./inside.js";
import { signatureText, type Types } from "./text.js";
import { type Field, type RecordType, type TypeNode, type VirtualFunction, VOID } from "./type.js";

export function compareVirtuals(a: RecordType, b: RecordType, inside: Inside): void {
  const { changes } = inside.found;
  const [linesBefore, linesAfter] = [lineOf(a, inside.before), lineOf(b, inside.after)];
  const [before, after] = [slotsOf(linesBefore), slotsOf(linesAfter)];
  for (const slot of [...new Set([...before.keys(), ...after.keys()])].sort((x, y) => x - y)) {
    const [was, is] = [before.get(slot), after.get(slot)];
    const title = `virtual function ${slot}`;
    const change = `${title}: ${textOf(was, inside.before)} -> ${textOf(is, inside.after)}`;
    if (was === undefined || is === undefined || !isAlike(was, is)) changes.push(change);
    else compareTypes(was, is, { change, remark: change.replace(" -> ", " is now "), at: title }, inside);
  }
  // Its slots show as a gap, if others follow.
  const [had, has] = [linesBefore, linesAfter].map((line) => line.some(({ virtualDestructor }) => virtualDestructor));
  if (had !== has) changes.push(`virtual destructor ${had === true ? "removed" : "added"}`);
}

/** The classes that share an object's primary vtable, the derived one first. */
function lineOf(record: RecordType, types: Types): RecordType[] {
  const line: RecordType[] = [];
  for (let at: RecordType | undefined = record; at !== undefined && line.length < DEEPEST; ) {
    line.push(at);
    const base: Field | undefined = at.fields.find((one) => one.kind === "base" && one.bit === 0);
    const node: TypeNode | undefined = base === undefined ? undefined : types[base.type];
    at = node?.kind === "record" ? node : undefined;
  }
  return line;
}

/** The slots of the primary vtable: a class overrides what its first base put there. */
function slotsOf(line: readonly RecordType[]): Map<number, VirtualFunction> {
  const slots = new Map<number, VirtualFunction>();
  for (const { virtuals } of [...line].reverse()) for (const [slot, one] of virtuals) slots.set(slot, one);
  return slots;
}

/** Types aside. */
const isAlike = (a: VirtualFunction, b: VirtualFunction): boolean =>
  a.name === b.name &&
  a.qualifiers === b.qualifiers &&
  a.signature.parameters.length === b.signature.parameters.length &&
  a.signature.variadic === b.signature.variadic &&
  a.signature.convention === b.signature.convention;

function compareTypes(
  was: VirtualFunction,
  is: VirtualFunction,
  words: Parameters<Inside["types"]>[2],
  inside: Inside,
) {
  inside.types(was.signature.result, is.signature.result, words);
  for (const [i, one] of was.signature.parameters.entries())
    inside.types(one, is.signature.parameters[i] ?? VOID, words);
}

const textOf = (one: VirtualFunction | undefined, types: Types): string =>
  one === undefined ? "none" : signatureText(types, one.signature, one.name);
