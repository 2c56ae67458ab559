/** What names of types tell. Pure. */

/** `a::b<c>` -> `a::b` */
export const withoutArguments = (name: string): string => name.replace(/<.*/s, "");

/** Of the standard library or the compiler. Source: C++ [reserved.names], C11 7.1.3. */
export const isImplementation = (name: string): boolean => /^(?:std|__gnu_cxx|core|alloc)::|^_[_A-Z]/.test(name);

const BUILT_IN =
  /^(?:const|volatile|signed|unsigned|char|char8_t|char16_t|char32_t|wchar_t|bool|short|int|long|float|double|void|true|false)$/;

/** The program's own types that the name of a template's instance mentions: `E` of `std::map<int, E, std::less<int> >`. */
export function ownNamesIn(name: string): string[] {
  if (withoutArguments(name) === name) return [];
  const words = name.match(/[A-Za-z_][\w:]*/g) ?? [];
  return [...new Set(words.filter((word) => !BUILT_IN.test(word) && !isImplementation(word)))];
}

/** The trait of `dyn game::Shape + Send`; null for any other type's name. */
export const traitOf = (name: string): string | null => /^dyn ([^+]*?)(?: \+ .*)?$/.exec(name)?.[1] ?? null;
