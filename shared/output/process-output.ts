/** Standard output and standard error of a process that is a node: whatever it prints goes this way. */
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

/** The same one at each call; the first one belongs to the start of the process. When the process exits, the last lines have a time limit. */
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
 * Node itself would print warnings, and an error that nobody caught, and wait for whoever reads that. Such an error is a bug
 * of ours, and the process ends as it would have.
 */
export function logWhatNodePrints(log: Log): void {
  process.removeAllListeners('warning').on('warning', (warning) => log.warn({ err: warning }, 'a warning of Node'))
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'this node stops: nobody caught this error')
    process.exit(1)
  })
}

/** Raises the alarm while the log does not get out, and says afterwards what is missing from it. Returns the counts. */
export function watchOutput(output: ProcessOutput | undefined, alarms: AlarmBoard, log: Log): () => OutputDrops {
  output?.stderr.watch({
    obstacle: (why) => alarms.set('log_blocked', why),
    room: (dropped) => log.warn({ dropped }, 'lines of this log were dropped: there was no room for them'),
  })
  return () => ({ stdout: output?.stdout.dropped ?? 0, stderr: output?.stderr.dropped ?? 0 })
}
