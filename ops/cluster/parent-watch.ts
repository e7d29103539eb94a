/**
 * Stops a node when the process that started it (`dev`, a tour, an example) ends, in whatever way. The node's stdin is a pipe
 * from that process. The system closes it when that process ends, even after SIGKILL, when no handler could run.
 */

/** Set by `dev` for the nodes it starts; it is no setting for users. */
export const STOP_WITH_STDIN = 'MACAROOND_STOP_WITH_STDIN'

/** If the variable is set, sends one SIGTERM to this process when stdin ends. */
export function stopWithParent(process: NodeJS.Process): void {
  if (process.env[STOP_WITH_STDIN] === undefined) return
  let sent = false
  const stop = (): void => {
    // A second SIGTERM would find no handler any more and interrupt the orderly stop.
    if (!sent) process.kill(process.pid, 'SIGTERM')
    sent = true
  }
  process.stdin.once('end', stop).once('close', stop).once('error', stop).resume()
}
