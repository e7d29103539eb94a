/**
 * `macaroond primary` and `macaroond replica`: run a node until a signal. Errors before the log exists go through writers that
 * never block, as in the running node.
 */
import type { Command } from 'commander'
import { Writable } from 'node:stream'
import type { Outlet } from '../../shared/output/outlet.ts'
import { processOutput } from '../../shared/output/process-output.ts'
import type { ReadyLine } from '../../shared/service/ready-line.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import { stopWithParent } from '../cluster/parent-watch.ts'
import { Terminal } from '../terminal.ts'

/** The options as commander parses them. */
interface NodeOptions {
  readonly config: string
  readonly acceptClock?: boolean
  readonly oldPrimaryStopped?: boolean
  readonly newArchive?: boolean
}

/** The facts that the operator confirms for this start. They are options and not settings, so that they do not outlast it. */
interface NodeFlags {
  readonly acceptClock: boolean
  readonly oldPrimaryStopped: boolean
  readonly newArchive: boolean
}

/** Runs a node until its end. `ready` is called once, when the node listens. Returns the exit status. */
type Run = (file: string, flags: NodeFlags, ready: (line: ReadyLine) => void) => Promise<number>

export function addPrimary(parent: Command, terminal: Terminal): void {
  addNode(parent, terminal, 'primary', async () => (await import('../../primary/main.ts')).runPrimary)
}

export function addReplica(parent: Command, terminal: Terminal): void {
  addNode(parent, terminal, 'replica', async () => (await import('../../replica/main.ts')).runReplica)
}

/** Adds the command of one role. A primary has options that would mean nothing to a replica. */
function addNode(parent: Command, terminal: Terminal, role: ReadyLine['role'], load: () => Promise<Run>): void {
  const command = parent
    .command(role)
    .description(`run a ${role} until SIGTERM or SIGINT; on SIGHUP it reads its peers again`)
  mandatory(command, '--config <file>', 'its configuration file (TOML)')
  command.option(
    '--accept-clock',
    'confirm that this machine’s clock is right, however far it is from the recorded time',
  )
  if (role === 'primary') {
    command.option('--old-primary-stopped', 'confirm that no primary of an earlier epoch of this cluster is running')
    command.option('--new-archive', 'begin a new archive and give up the one that the database remembers')
  }
  command.action(
    async ({ config, acceptClock = false, oldPrimaryStopped = false, newArchive = false }: NodeOptions) => {
      // Has an effect only if `dev`, a tour or an example started this process.
      stopWithParent(process)
      const run = await load()
      const { stdout } = processOutput()
      const status = await exitStatusOfRun(terminal, () =>
        run(config, { acceptClock, oldPrimaryStopped, newArchive }, (line) =>
          stdout.write(`${JSON.stringify(line)}\n`),
        ),
      )
      // A node that failed leaves its sockets and files open on purpose, so the process must be ended here.
      process.exit(status)
    },
  )
  addHelp(command, {
    examples: [`macaroond ${role} --config ${role}.toml`, `macaroond config check ${role}.toml`],
    json: [
      `{"ready": true, "role": "${role}", "pid", "address", "peerId"}, one line on stdout once it listens, with or without --json`,
      'the log goes to stderr, as JSON lines',
    ],
    exit: '0 after a signal, 2 for a wrong configuration, 5 after a conflict (another cluster, a diverged position), else 1',
  })
}

/** Reports an error of the start as every command does, but through writers that never block. */
async function exitStatusOfRun(terminal: Terminal, run: () => Promise<number>): Promise<number> {
  try {
    return await run()
  } catch (error) {
    const { stdout, stderr } = processOutput()
    const { stdin, env, json } = terminal
    const report = new Terminal({ stdin, env, stdout: intoOutlet(stdout), stderr: intoOutlet(stderr) }, json)
    report.fail(error)
    return report.status
  }
}

/** A stream over an outlet, which never blocks: a node does not wait for the reader of its output, even if its start fails. */
function intoOutlet(outlet: Outlet): Writable {
  return new Writable({
    write: (text: Uint8Array, _, done) => {
      outlet.write(Buffer.from(text).toString('utf8'))
      done()
    },
  })
}
