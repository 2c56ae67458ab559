/** `npm run test:all`: what `npm test` leaves out, because it takes longer than one wants to wait for. */
import config from "./ava.config.js";

export default { ...config, files: ["dist/test/**/*.long.test.js"] };
