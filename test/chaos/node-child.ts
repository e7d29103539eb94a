/** A node as an operator would start it: `node-child.ts primary|replica CONFIG`. Prints its ready line, ends with its exit status. */
import { runPrimary } from '../../primary/main.ts'
import { runReplica } from '../../replica/main.ts'

const [role, config = ''] = process.argv.slice(2)
const ready = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

try {
  process.exitCode = await (role === 'primary'
    ? runPrimary(config, { acceptClock: false, oldPrimaryStopped: false, newArchive: false }, ready)
    : runReplica(config, { acceptClock: false }, ready))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exitCode = 1
}
// A node that stopped after a failure may leave sockets open: the entry of the program ends the process, and so does this.
process.exit()
