/**
 * The architecture this bundle is for: all that the rest of the agent knows of one. A second is a folder beside x64 that
 * offers the same names.
 */

export { codeWriter } from "./x64/code-writer.js";
export { LINUX } from "./x64/linux.js";
export { NOTICE, NOTICE_CODE, type NoticeJump, noticeJump } from "./x64/loader-notice.js";
export { HOOK_JOB, LOAD_JOB, THREAD_CODE } from "./x64/thread-code.js";
