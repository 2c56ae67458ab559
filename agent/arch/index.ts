/**
 * The architecture of this bundle: all that the rest of the agent sees of it. To add a second, put a folder that exports
 * the same names next to x64.
 */

export { codeWriter } from "./x64/code-writer.js";
export { LINUX } from "./x64/linux.js";
export { NOTICE, NOTICE_CODE, type NoticeJump, noticeJump } from "./x64/loader-notice.js";
export { HOOK_JOB, LOAD_JOB, THREAD_CODE } from "./x64/thread-code.js";
