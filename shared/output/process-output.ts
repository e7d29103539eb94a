/** Standard output and standard error of a node's process. Everything that the process prints goes through here. */
import type { Log } from '../log.ts'
import type { AlarmBoard } from '../service/alarm-board.ts'
import type { OutputDrops } from '../protocol/status.ts'
import { OUTPUT_LAST_MS_MAX } from '../limits.ts'
import { Outlet } from './outlet.ts'
import { openSink } from './sink.ts'

export interface ProcessOutput {
  readonly stdout: Outlet
  readonly stderr: Outlet
}

let own: ProcessOutput | undefined

/**
 * Returns the same object at each call. The first call must come at the start of the process. At exit, writing the last lines
 * has a time limit.
 */
export function processOutput(): ProcessOutput {
  own ??= open()
  return own
}

function open(): ProcessOutput {
  const output = { stdout: new Outlet(openSink(1)), stderr: new Outlet(openSink(2)) }
  process.on('exit', () => {
    output.stdout.end(OUTPUT_LAST_MS_MAX)
    output.stderr.end(OUTPUT_LAST_MS_MAX)
  })
  return output
}

/**
 * Logs Node's warnings and uncaught errors. Node itself would print them to standard error, and wait if nobody reads it. An
 * uncaught error is a bug, and ends the process as it would without this.
 */
export function logWhatNodePrints(log: Log): void {
  process.removeAllListeners('warning').on('warning', (warning) => log.warn({ err: warning }, 'a warning of Node'))
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'this node stops: uncaught error')
    process.exit(1)
  })
}

/**
 * Raises `log_blocked` while the log cannot be written, and logs the number of dropped lines afterwards. Returns the counts.
 */
export function watchOutput(output: ProcessOutput | undefined, alarms: AlarmBoard, log: Log): () => OutputDrops {
  output?.stderr.watch({
    onObstacle: (why) => alarms.set('log_blocked', why),
    onRoom: (dropped) => log.warn({ dropped }, 'lines of this log were dropped: there was no room for them'),
  })
  return () => ({ stdout: output?.stdout.dropped ?? 0, stderr: output?.stderr.dropped ?? 0 })
}
