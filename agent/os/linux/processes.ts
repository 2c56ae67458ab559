/** Other processes, as seen in /proc. */

/** Whether there is a process with this id. */
export function processLives(pid: number): boolean {
  try {
    return File.readAllText(`/proc/${pid}/stat`).length > 0;
  } catch {
    return false;
  }
}
