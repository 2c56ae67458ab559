/** `npm test`: all but the long ones, which `npm run test:all` runs (ava.long.config.js). */
export default {
  files: ["dist/test/**/*.test.js", "!dist/test/**/*.long.test.js"],
  nodeArguments: ["--enable-source-maps"],
  timeout: "120s",
  concurrency: 2,
  workerThreads: false,
};
