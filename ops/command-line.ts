/** The command line as a whole: the program, its commands, and what becomes of their errors. */
import { Command, CommanderError } from 'commander'
import { MacaroondError } from '../shared/errors.ts'
import { VERSION } from '../shared/version.ts'
import { addArchive } from './commands/archive.ts'
import { addConfig } from './commands/config.ts'
import { addDev } from './commands/dev.ts'
import { addKek } from './commands/kek.ts'
import { addKeygen } from './commands/keygen.ts'
import { addMacaroon } from './commands/macaroon.ts'
import { addPrimary, addReplica } from './commands/node.ts'
import { addOrg } from './commands/org.ts'
import { addRestore } from './commands/restore.ts'
import { addRevocations } from './commands/revocations.ts'
import { addRevoke } from './commands/revoke.ts'
import { addStatus } from './commands/status.ts'
import { addThirdParty } from './commands/third-party.ts'
import { addToken } from './commands/token.ts'
import { addTour } from './commands/tour.ts'
import { type Streams, Terminal } from './terminal.ts'

const COMMANDS = [
  addTour,
  addDev,
  addPrimary,
  addReplica,
  addKeygen,
  addOrg,
  addToken,
  addThirdParty,
  addRevoke,
  addRevocations,
  addKek,
  addMacaroon,
  addStatus,
  addArchive,
  addRestore,
  addConfig,
]

export function program(terminal: Terminal): Command {
  const root = new Command('macaroond')
    .description('A self-hosted macaroon authority: mint at one primary, verify in every region, revoke everywhere.')
    .version(VERSION)
    .option('--json', 'one JSON document on stdout; errors too, as {"error": {"code", "message", "hint"?}}')
    .option('--profile <file>', 'who the caller is and where the nodes are (default: $MACAROOND_PROFILE)')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    // Errors are reported in one place, `run`, in the form that was asked for.
    .configureOutput({
      writeOut: (text) => terminal.print(text.trimEnd()),
      writeErr: (text) => terminal.say(text.trimEnd()),
      outputError: () => undefined,
    })
    .addHelpText('after', AFTER)
  for (const add of COMMANDS) add(root, terminal)
  return root
}

const AFTER = `
Examples:
  macaroond tour                                   the whole thing on this machine, step by step
  macaroond dev --dir ./cluster                    a cluster to work with, until Ctrl-C
  export MACAROOND_PROFILE=./cluster/operator.toml
  macaroond org create acme
  macaroond token mint --org acme --subject alice > token.txt
  macaroond token verify --org acme --access op=read < token.txt
  macaroond revoke --token - < token.txt

Exit status:
  0 ok, 1 failed or malformed, 2 usage, 3 denied, 4 unavailable, 5 conflict`

/** Runs one command line, without the `node` and script names, and gives the exit status. */
export async function run(args: readonly string[], streams: Streams = process): Promise<number> {
  const terminal = new Terminal(streams, args.includes('--json'))
  try {
    await program(terminal).parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    terminal.fail(error instanceof CommanderError ? usageError(error) : error)
  }
  return terminal.status
}

/** Commander's message is one line, and a second one where a word looks like another that it knows. */
function usageError({ code, message }: CommanderError): MacaroondError {
  if (code === 'commander.help') {
    return new MacaroondError('usage', 'a command is missing', { hint: '`--help` lists them' })
  }
  const [what = '', near] = message.replace(/^error: /, '').split('\n')
  return new MacaroondError('usage', what, { hint: near?.replace(/^\(D(.*)\)$/, 'd$1') ?? 'see --help' })
}
