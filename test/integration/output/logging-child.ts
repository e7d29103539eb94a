/** Imported by a process of its own: it logs as a node does, does what stdin says, and says on a file what it sees. */
import { appendFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { createLog } from '../../../shared/log.ts'
import { logWhatNodePrints, processOutput } from '../../../shared/output/process-output.ts'

const seen = process.argv[2] ?? ''
const { stdout, stderr } = processOutput()
const log = createLog('test', 'info', stderr)
logWhatNodePrints(log)
stdout.write(`${JSON.stringify({ ready: true })}\n`)
const tell = (): void => appendFileSync(seen, `${JSON.stringify({ dropped: stderr.dropped, out: stdout.dropped })}\n`)
const filler = 'x'.repeat(200)
const orders: Readonly<Record<string, () => void>> = {
  flood: () => {
    for (let n = 0; n < 4_000; n += 1) log.info({ filler, n }, 'a line')
    tell()
  },
  line: () => log.info('one line'),
  tell,
  warn: () => process.emitWarning('careful'),
  throw: () =>
    void setImmediate(() => {
      throw new Error('nobody catches this')
    }),
  exit: () => process.exit(0),
}
stderr.watch({ onObstacle: () => undefined, onRoom: (dropped) => log.warn({ dropped }, 'room again') })
createInterface({ input: process.stdin }).on('line', (order) => orders[order]?.())
tell()
