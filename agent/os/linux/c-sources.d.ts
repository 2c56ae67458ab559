/** scripts/build.mjs turns each C file into a module that exports its text. */
declare module "*.c.js" {
  const source: string;
  export default source;
}
