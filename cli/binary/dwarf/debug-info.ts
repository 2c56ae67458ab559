/**
 * The debug information of one library as a whole: its units, those in split files, type units, and the targets of
 * references. Split files are requested by path; the caller reads them.
 * Source: DWARF 5 section 7.3.2 (split objects); gcc and clang name the file and its id in DW_AT_GNU_dwo_* with
 * -gdwarf-4.
 */
import { type Elf, ElfError, readElf } from "../elf.js";
import { type Range, rangesOf } from "./addresses.js";
import { AT, UT } from "./constants.js";
import { DwarfError } from "./cursor.js";
import { Die, rootOf } from "./die.js";
import type { Reference } from "./form.js";
import type { Producer } from "./hidden.js";
import { DwarfPackage } from "./package.js";
import { DebugSections, type Sections } from "./sections.js";
import { InfoSection, type Unit } from "./unit.js";
import { indexOf } from "./unit-index.js";

/** A split file's bytes; null if there is none. `path` is absolute, or relative to an unknown folder. */
export type OpenFile = (path: string) => Buffer | null;

export class DebugInfo {
  readonly #main: InfoSection;
  readonly #open: OpenFile;
  readonly #packagePath: string;
  #package: DwarfPackage | null | undefined;
  readonly #signatures = new Map<bigint, Unit>();
  readonly #split = new Map<Unit, Unit | DwarfError>();
  /** The first that any unit names. */
  #producer: string | null = null;

  /**
   * @param elf the library, or its separate debug file
   * @param path of the library: its .dwp lies next to it
   * @throws DwarfError if there is nothing readable
   */
  constructor(elf: Elf, path: string, open: OpenFile) {
    const sections = new DebugSections(elf);
    if (!sections.has("info")) throw new DwarfError("it has no debug information: build with -g");
    this.#main = new InfoSection(sections, "info", sections.get("info"));
    this.#open = open;
    this.#packagePath = `${path}.dwp`;
    this.#register(this.#main);
    for (const bytes of sections.every("types")) this.#register(new InfoSection(sections, "types", bytes));
  }

  /** The main file's units that describe code and data, including skeletons. */
  get units(): Unit[] {
    return this.#main.units.filter(({ kind }) => kind !== UT.type);
  }

  /**
   * The unit with the entries: the split one for a skeleton. @throws DwarfError if its file is missing or does not
   * match
   */
  whole(unit: Unit): Unit {
    const root = rootOf(unit);
    const name = root.text(AT.dwo_name) ?? root.text(AT.GNU_dwo_name);
    if (name === undefined) return unit;
    let found = this.#split.get(unit);
    if (found === undefined) {
      found = this.#openSplit(unit, name, root);
      this.#split.set(unit, found);
    }
    if (found instanceof DwarfError) throw found;
    return found;
  }

  /** Every unit with entries, including type units. @throws DwarfError if a split one cannot be opened */
  everyUnit(): Unit[] {
    return [...this.units.map((unit) => this.whole(unit)), ...this.#signatures.values()];
  }

  /** Who wrote a unit. Type units do not say: one library is the work of one compiler. */
  producerOf(unit: Unit): Producer {
    const root = rootOf(unit);
    const [own, language] = [root.text(AT.producer), root.number(AT.language)];
    if (own !== undefined) return { text: own, language };
    this.#producer ??= this.units.map((one) => rootOf(one).text(AT.producer)).find((text) => text !== undefined) ?? "";
    return { text: this.#producer, language };
  }

  /** Where a unit's code is; null if it does not say. */
  rangesOf(unit: Unit): readonly Range[] | null {
    const ranges = rangesOf(rootOf(unit));
    return ranges.length === 0 ? null : ranges;
  }

  /** @throws DwarfError if its target does not exist */
  resolve(reference: Reference): Die {
    if ("offset" in reference) return new Die(reference.unit, reference.offset);
    const unit = this.#signatures.get(reference.signature);
    if (unit === undefined) throw new DwarfError("a type unit that it refers to is missing");
    return new Die(unit, unit.type);
  }

  /** The named types with contents in the type units that a unit refers to, directly or through others. */
  typeUnitsFrom(unit: Unit): Die[] {
    const found = new Set<Unit>([unit]);
    for (const one of found)
      for (const offset of indexOf(one).signed)
        for (const other of this.#signedBy(new Die(one, offset))) found.add(other);
    found.delete(unit);
    return [...found].flatMap((one) => indexOf(one).definitions.map((offset) => new Die(one, offset)));
  }

  /** The type units that an entry's attributes refer to. */
  #signedBy(die: Die): Unit[] {
    return die.abbreviation.attributes.flatMap((attribute) => {
      const reference = die.reference(attribute);
      if (reference === undefined || "offset" in reference) return [];
      return this.#signatures.get(reference.signature) ?? [];
    });
  }

  #register(info: InfoSection): void {
    for (const unit of info.units) if (unit.signature !== null) this.#signatures.set(unit.signature, unit);
  }

  #openSplit(unit: Unit, name: string, root: Die): Unit | DwarfError {
    try {
      const id = unit.dwoId ?? root.integer(AT.GNU_dwo_id) ?? null;
      const folder = root.text(AT.comp_dir) ?? "";
      const path = name.startsWith("/") || folder === "" ? name : `${folder}/${name}`;
      const sections = this.#splitSections(path, id);
      const infos = sections.every("info").map((bytes) => new InfoSection(sections, "info", bytes, unit));
      const types = sections.every("types").map((bytes) => new InfoSection(sections, "types", bytes, unit));
      for (const info of [...infos, ...types]) this.#register(info);
      const units = infos.flatMap((info) => info.units);
      const whole = units.find((one) => one.signature === null && idOf(one) === id);
      if (whole === undefined) throw new DwarfError(`${path} belongs to another build: its id is not the library's`);
      return whole;
    } catch (error) {
      if (error instanceof DwarfError) return error;
      if (error instanceof ElfError)
        return new DwarfError(`its split debug information cannot be read: ${error.message}`);
      throw error;
    }
  }

  #splitSections(path: string, id: bigint | null): Sections {
    const bytes = this.#open(path);
    if (bytes !== null) return new DebugSections(readElf(bytes), ".dwo");
    if (this.#package === undefined) {
      const packed = this.#open(this.#packagePath);
      this.#package = packed === null ? null : new DwarfPackage(readElf(packed));
      for (const { sections, name } of this.#package?.typeSections() ?? [])
        this.#register(new InfoSection(sections, name, sections.get(name)));
    }
    const found = id === null ? null : (this.#package?.unit(id) ?? null);
    if (found === null) throw new DwarfError(`its split debug information is missing: ${path}`);
    return found;
  }
}

const idOf = (unit: Unit): bigint | null => unit.dwoId ?? rootOf(unit).integer(AT.GNU_dwo_id) ?? null;
