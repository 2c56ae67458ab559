/** `hotpatch doctor` for people. Pure. */
import type { DoctorReport } from "../../schemas/doctor-report.js";
import { printable } from "../text/printable.js";

const WIDTH = 19;

export function doctorLines({ pid, checks, ok }: DoctorReport): string[] {
  const lines = checks.flatMap(({ about, ok: well, needed, says, cure }) => {
    const [first = "", ...more] = says.split("\n");
    return [
      `${well ? "ok     " : needed ? "problem" : "warning"}  ${about.padEnd(WIDTH)}${first}`,
      ...[...more, ...(cure === null ? [] : [`cure: ${cure}`])].map((line) => " ".repeat(9 + WIDTH) + line),
    ];
  });
  const subject = pid === null ? "hotpatch can work here" : `pid ${pid} can be attached to`;
  return [...lines, ok ? subject : "something required is missing: see the lines marked problem"].map(printable);
}
