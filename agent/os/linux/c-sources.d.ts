/** scripts/build.mjs makes a module of each C file: its text. */
declare module "*.c.js" {
  const source: string;
  export default source;
}
