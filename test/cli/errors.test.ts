/** The catalogue: every code says its five things, and docs/errors.md has a heading for each. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import * as errors from "../../cli/errors.js";
import { ErrorCode, type ErrorReport } from "../../schemas/error.js";
import { ROOT } from "../support/workshop.js";

const RUNNING = "generation 3 of libgame.so";
const all: ErrorReport[] = [
  errors.noSuchProcess("pid 7", "why"),
  errors.ambiguousProcess("game", [7, 8]),
  errors.attachDenied(7, "why"),
  errors.attachBusy(7, "why"),
  errors.stoppedProcess(7),
  errors.sandboxedHost(7, "why", "cure"),
  errors.tooFewDescriptors(7, 1020, 1024, 48, 16),
  errors.unsupportedHost(7, "why", "cure"),
  errors.headlessHost(7),
  errors.headlessNow("libgame.so", RUNNING),
  errors.noPlace(7, "why"),
  errors.unsupportedHost(7, "why", "cure"),
  errors.unsupportedHost(null, "why", "cure"),
  errors.staticHost(7, "/game"),
  errors.muslHost(null, "/game", "why"),
  errors.sanitizedHost(7, "/game"),
  errors.wrongArchitecture("/game", "why", RUNNING),
  errors.attachFailed(7, "why"),
  errors.spawnFailed("/game", "why"),
  errors.noBackend("auto", "why"),
  errors.bridgeDied(7, "why"),
  errors.targetDied(7, "why"),
  errors.targetDied(7, "why", "/tmp/copies"),
  errors.targetReplaced(7, "why"),
  errors.libraryNotFound("/libgame.so", "why"),
  errors.unreadableFile("/libgame.so", "why"),
  errors.nothingFollowed("game", true),
  errors.libraryNotLoaded("libgame.so", "game"),
  errors.noMarks("libgame.so", RUNNING),
  errors.strippedMarks("libgame.so", 12, RUNNING),
  errors.marksInExecutable("/game", 2),
  errors.mappedArtifact("libgame.so", "/libgame.so", null, RUNNING),
  errors.entryTooSmall("f", "why", RUNNING),
  errors.entryUnsafe("f", "why", RUNNING),
  errors.untrustedBuild("f, g", "why", RUNNING, "build with -O0"),
  errors.goneFile("libgame.so", "/libgame.so", RUNNING),
  errors.noMatch("libgame.so", "*", RUNNING),
  errors.ambiguousName("f", "why", RUNNING),
  errors.artifactIncomplete("/libgame.so", "why", RUNNING),
  errors.artifactInvalid("/libgame.so", "why", RUNNING),
  errors.copyFailed("/libgame.so", "why", RUNNING),
  errors.unsafeFolder("/tmp", "why"),
  errors.loadFailed("libgame.so", 4, "why", RUNNING),
  errors.loadUnlinked("libb.so", 4, "why", ["libgame.so"], RUNNING),
  errors.noRoom("libgame.so", 4, "why", RUNNING),
  errors.loadTimeout("libgame.so", 4, "why", RUNNING),
  errors.hookTimeout("libgame.so", "hotpatch_before_switch", "why", RUNNING),
  errors.hookUncalled("libgame.so", "hotpatch_after_switch", "why", RUNNING),
  errors.signatureChanged("libgame.so", "why", RUNNING),
  errors.layoutChanged("libgame.so", "why", RUNNING),
  errors.buildFailed("make", 2, "why", RUNNING),
  errors.noSuchGeneration("libgame.so", 9, "why", RUNNING),
  errors.badCommand("{", "why", RUNNING),
  errors.badConfig("hotpatch.json", "why"),
  errors.untrustedConfig("/src/hotpatch.json", "why"),
  errors.usage("what", "why"),
  errors.logLost("/log", "why"),
  errors.internal("what", "why", RUNNING),
];

test("every error says what was attempted, why, what runs now and what to do", (t) => {
  for (const report of all) {
    const { code, message, detail, running, hint } = report;
    for (const [part, text] of Object.entries({ message, detail, running, hint }))
      t.regex(text, /\S{2}/, `${code}: ${part}`);
    t.notRegex(Object.values(report).join(" "), /undefined|null|NaN|\[object/, code);
  }
});

test("what the target runs is passed on, never made up", (t) => {
  const aboutTarget = all.filter((e) => e.running.includes("generation 3"));
  t.true(aboutTarget.length >= 13);
});

test("docs/errors.md has one heading for every code", (t) => {
  const headings = readFileSync(join(ROOT, "docs/errors.md"), "utf8").match(/^## .*$/gm) ?? [];
  t.deepEqual(headings.map((h) => h.slice(3)).sort(), [...ErrorCode.options].sort());
});

test("docs/errors.md says of every code what runs now and what to do", (t) => {
  const entries = readFileSync(join(ROOT, "docs/errors.md"), "utf8").split(/^## /m).slice(1);
  for (const entry of entries) t.regex(entry, /^\S+\n.+ Runs now: .+ To do: .+\n+$/);
});
