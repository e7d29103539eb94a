/**
 * How the nodes of `dev` end with it, however it ends: each has a pipe from it on stdin, and the system closes that pipe
 * with the process that holds the other end, also after SIGKILL.
 */

/** Not for people: set by `dev` for the nodes it starts. */
export const STOP_WITH_STDIN = 'MACAROOND_STOP_WITH_STDIN'

/** Where the variable is set, the end of stdin is one SIGTERM to this process. */
export function stopWithParent(process: NodeJS.Process): void {
  if (process.env[STOP_WITH_STDIN] === undefined) return
  let sent = false
  const stop = (): void => {
    // A second one would meet no handler any more, and cut the orderly stop short.
    if (!sent) process.kill(process.pid, 'SIGTERM')
    sent = true
  }
  process.stdin.once('end', stop).once('close', stop).once('error', stop).resume()
}
