/**
 * The command line: it builds the program from its commands, runs one command, and turns every error into a report on the
 * terminal and an exit status.
 */
import { Command, CommanderError } from 'commander'
import { warnOnlyOfDistrust } from '../shared/files/trusted-file.ts'
import { MacaroondError } from '../shared/errors.ts'
import { VERSION } from '../shared/version.ts'
import { foldHelp } from './fold.ts'
import { ownStreams, type Streams, Terminal } from './terminal.ts'

/** Adds one command, with its options and its action, to the program. */
type Add = (root: Command, terminal: Terminal) => void

/**
 * The commands in the order of `--help`. A module is imported only when its command runs, because most need a library of their
 * own, and loading all of them would slow down every command.
 */
const COMMANDS: Readonly<Record<string, () => Promise<Add>>> = {
  tour: async () => (await import('./commands/tour.ts')).addTour,
  init: async () => (await import('./commands/init.ts')).addInit,
  dev: async () => (await import('./commands/dev.ts')).addDev,
  primary: async () => (await import('./commands/node.ts')).addPrimary,
  replica: async () => (await import('./commands/node.ts')).addReplica,
  peers: async () => (await import('./commands/peers.ts')).addPeers,
  keygen: async () => (await import('./commands/keygen.ts')).addKeygen,
  org: async () => (await import('./commands/org.ts')).addOrg,
  token: async () => (await import('./commands/token.ts')).addToken,
  'third-party': async () => (await import('./commands/third-party.ts')).addThirdPartyCommand,
  revoke: async () => (await import('./commands/revoke.ts')).addRevoke,
  revocations: async () => (await import('./commands/revocations.ts')).addRevocations,
  kek: async () => (await import('./commands/kek.ts')).addKek,
  macaroon: async () => (await import('./commands/macaroon.ts')).addMacaroon,
  status: async () => (await import('./commands/status.ts')).addStatus,
  archive: async () => (await import('./commands/archive.ts')).addArchive,
  audit: async () => (await import('./commands/audit.ts')).addAudit,
  whoami: async () => (await import('./commands/whoami.ts')).addWhoami,
  reload: async () => (await import('./commands/reload.ts')).addReload,
  restore: async () => (await import('./commands/restore.ts')).addRestore,
  repair: async () => (await import('./commands/repair.ts')).addRepair,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctor,
  config: async () => (await import('./commands/config.ts')).addConfig,
  version: async () => (await import('./commands/version.ts')).addVersion,
  completion: async () => (await import('./commands/completion.ts')).addCompletion,
}

/** The program with the one command that `args` name, or with all commands if `args` name none. */
export async function program(terminal: Terminal, args: readonly string[]): Promise<Command> {
  const root = new Command('macaroond')
    .description('A self-hosted macaroon authority: mint at one primary, verify in every region, revoke everywhere.')
    .version(VERSION)
    .option('--json', 'one JSON document on stdout; errors too, as {"error": {"code", "message", "hint"?}}')
    .option(
      '--profile <file>',
      'file with the caller’s identity and the nodes’ addresses (default: $MACAROOND_PROFILE)',
    )
    .option(
      '--lenient-files',
      'accept files and folders that other users of this machine can write; a node logs a warning instead of refusing',
    )
    .hook('preAction', () => {
      if (root.opts<{ lenientFiles?: true }>().lenientFiles === true) warnOnlyOfDistrust()
    })
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    // Commander prints no errors: `run` reports them in one place, as text or as JSON.
    .configureOutput({
      writeOut: (text) => terminal.print(foldedHelp(text.trimEnd(), terminal)),
      writeErr: (text) => {
        for (const line of text.trimEnd().split('\n')) terminal.say(line)
      },
      outputError: () => undefined,
    })
    .addHelpText('after', EXAMPLES_AND_EXIT)
  for (const load of loadersFor(args)) (await load())(root, terminal)
  return root
}

/** The help as a terminal shows it; a program gets its lines as they are. */
function foldedHelp(text: string, { columns }: Terminal): string {
  return columns === undefined ? text : foldHelp(text, columns)
}

/**
 * The loader of the command that `args` name, or all loaders. The first word is the command, except the value of `--profile`,
 * the only option before the command that takes one.
 */
function loadersFor(args: readonly string[]): readonly (() => Promise<Add>)[] {
  const word = args.find((arg, index) => !arg.startsWith('-') && args[index - 1] !== '--profile') ?? ''
  // A completion script has the words of all commands.
  if (word === 'completion') return Object.values(COMMANDS)
  const one = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined
  return one === undefined ? Object.values(COMMANDS) : [one]
}

const EXAMPLES_AND_EXIT = `
Examples:
  macaroond tour                                   every main step on this machine, one by one
  macaroond dev --dir ./cluster                    a cluster to work with, until Ctrl-C
  export MACAROOND_PROFILE=./cluster/operator.toml
  macaroond org create acme
  macaroond token mint --org acme --subject alice > token.txt
  macaroond token verify --org acme --access op=read < token.txt
  macaroond revoke --token - < token.txt

Exit status:
  0 ok, 1 failed or malformed, 2 usage, 3 denied, 4 unavailable, 5 conflict, 6 degraded (\`status\` only)`

/** Runs one command line, given without the `node` and script names. Returns the exit status. */
export async function run(args: readonly string[], streams: Streams = ownStreams()): Promise<number> {
  const terminal = new Terminal(streams, args.includes('--json'))
  let root: Command | undefined
  try {
    root = await program(terminal, args)
    await root.parseAsync(args, { from: 'user' })
  } catch (error) {
    // Commander throws for `--help` and `--version` too; these have exit code 0 and are already printed.
    const isHelp = error instanceof CommanderError && error.exitCode === 0
    if (!isHelp) terminal.fail(error instanceof CommanderError ? usageError(error) : withProfile(error, root, terminal))
  }
  return terminal.finish()
}

/** A refusal of the caller names the profile in its hint, because that comes from the environment in most shells. */
function withProfile(error: unknown, root: Command | undefined, { env }: Terminal): unknown {
  const { profile = env['MACAROOND_PROFILE'] ?? '' } = root?.opts<{ profile?: string }>() ?? {}
  if (!(error instanceof MacaroondError) || error.code !== 'peer_refused' || profile === '') return error
  const hint = `${error.hint ?? 'use another profile'}; the profile in use is ${profile}`
  return new MacaroondError(error.code, error.message, { hint, cause: error })
}

/** Commander's message has a second line if it suggests a similar word; that line becomes the hint. */
function usageError({ code, message }: CommanderError): MacaroondError {
  if (code === 'commander.help') {
    return new MacaroondError('usage', 'a command is missing', { hint: '`--help` lists them' })
  }
  const [what = '', near] = message.replace(/^error: /, '').split('\n')
  return new MacaroondError('usage', what, { hint: near?.replace(/^\(D(.*)\)$/, 'd$1') ?? 'see --help' })
}
