/** A sample of `npm run evidence` that takes longer. */
import { cargoTest } from "../support/cargo.js";
import { judgeSample } from "./sample.js";

cargoTest("no harmful edit of Rust code is told as checked, and no harmless one is refused", (t) =>
  judgeSample(t, ["Rust"], 60, ["rustc debug", "rustc release with debug"]),
);
