/** What records of two builds say: the same, or the change in words. */
import test from "ava";
import type { FunctionRecord, Layout, TypePart, TypeRecord } from "../../../cli/binary/records.js";
import { compareRecords, type Recorded } from "../../../cli/evidence/record.js";
import { changedTypes } from "../../../cli/evidence/types.js";

const layout = (size: number, hash = 0n, align = size): Layout => ({ size, align, hash });
const side = (change: Partial<FunctionRecord> = {}, types: readonly TypeRecord[] = []): Recorded => ({
  functions: new Map([
    [
      "game::damage",
      {
        name: "game::damage",
        entry: 16,
        signature: "unsafe fn(&mut Player, i32) -> i32",
        place: null,
        layouts: [layout(8, 5n), layout(4), layout(4)],
        ...change,
      },
    ],
  ]),
  types: new Map(types.map((one) => [one.name, one])),
  compiler: null,
});
const type = (name: string, size: number, ...parts: readonly (readonly [string, string, number | null, number])[]) => ({
  name,
  size,
  align: 4,
  parts: parts.map(([name, text, offset, size]): TypePart => ({ name, text, offset, size })),
});
const verdict = (before: Recorded, after: Recorded) => compareRecords(before, after).get("game::damage");

test("equal records are the same, on the evidence of records", (t) => {
  t.deepEqual(verdict(side(), side()), { check: "record", change: null });
});

test("another signature is named, old and new", (t) => {
  const after = side({ signature: "unsafe fn(&mut Player, f32) -> i32" });
  t.deepEqual(verdict(side(), after)?.change, {
    code: "signature-changed",
    reasons: ["unsafe fn(&mut Player, i32) -> i32 -> unsafe fn(&mut Player, f32) -> i32"],
  });
});

test("an argument of another size, alignment or hash is named, and the type that changed", (t) => {
  const player = (hp: string, offset: number) => [
    type("game::Player", 16, ["name", "&str", 0, 8], ["stats", "Stats", 8, 8]),
    type("game::Stats", 8, ["hp", hp, offset, 4]),
    type("game::Other", 8, ["unrelated", hp, 0, 4]),
  ];
  const changed = (layouts: readonly Layout[]) =>
    verdict(side({}, player("u32", 4)), side({ layouts }, player("f32", 4)))?.change;
  const stats = "game::Stats: field hp: u32 at 4 -> f32 at 4";
  t.deepEqual(changed([layout(8, 6n), layout(4), layout(4)]), {
    code: "layout-changed",
    reasons: ["argument 1: laid out differently, inside or behind a pointer", stats],
  });
  t.deepEqual(changed([layout(8, 5n), layout(8), layout(4)])?.reasons[0], "argument 2: size 4 -> 8");
  t.deepEqual(changed([layout(8, 5n), layout(4), layout(4, 0n, 2)])?.reasons[0], "result: alignment 4 -> 2");
});

test("a hash on one side only is no evidence, nor is a function that one side lacks", (t) => {
  t.is(verdict(side(), side({ layouts: [layout(8), layout(4), layout(4)] }))?.change, null);
  t.is(verdict(side(), { functions: new Map(), types: new Map(), compiler: null }), undefined);
  t.is(verdict(side({ signature: null, layouts: [] }), side()), undefined);
});

test("another compiler is a change of layouts, unless one side does not say which it was", (t) => {
  const by = (compiler: string | null) => ({ ...side(), compiler });
  const [older, newer] = [by("rustc version 1.88.0"), by("rustc version 1.95.0")];
  t.deepEqual(verdict(older, newer)?.change, {
    code: "layout-changed",
    reasons: ["built by rustc version 1.88.0 -> rustc version 1.95.0"],
  });
  t.is(verdict(newer, newer)?.change, null);
  t.is(verdict(by(null), newer)?.change, null);
});

test("without texts the number of arguments tells", (t) => {
  const change = verdict(side({ signature: null }), side({ signature: null, layouts: [layout(4)] }))?.change;
  t.deepEqual(change, { code: "signature-changed", reasons: ["2 -> 0 arguments"] });
});

test("changes of a type are told one by one, through the types it holds, and cycles end", (t) => {
  const map = (...types: TypeRecord[]) => new Map(types.map((one) => [one.name, one]));
  const before = map(
    type("a::Node", 8, ["next", "Option<Box<Node>>", 0, 8], ["kind", "Kind", 8, 4]),
    type("a::Kind", 4, ["One", "", null, 0], ["Two", "(u32)", null, 0]),
  );
  const after = map(
    type("a::Node", 12, ["next", "Option<Box<Node>>", 0, 8], ["more", "u32", 8, 4]),
    type("a::Kind", 4, ["Two", "(u32)", null, 0], ["One", "", null, 0]),
  );
  t.deepEqual(changedTypes(before, after, "Mutex<Node>"), [
    "a::Node: size 8 -> 12; field kind: gone; field more: new, u32 at 8",
    "a::Kind: order One, Two -> Two, One",
  ]);
  t.deepEqual(changedTypes(before, after, "Nodes"), []);
});
