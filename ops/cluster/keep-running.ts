/** Keeps a cluster running until a signal, and prints how to use it. */
import { join } from 'node:path'
import type { Terminal } from '../terminal.ts'
import type { Cluster } from './cluster.ts'
import { profilePath, publish, unpublish } from './published.ts'

/** SIGHUP comes when the terminal closes: the nodes must not survive it. */
const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

const PARENT_POLL_MS = 200

/** The first signal as a promise. `release` gives signals back to their default handling. */
export interface Interruption {
  readonly happened: Promise<'interrupted'>
  readonly release: () => void
}

/** Turns the first signal into a promise. Later signals are ignored, because the stop has begun and its time is bounded. */
export function onInterruption(): Interruption {
  const { promise, resolve } = Promise.withResolvers<'interrupted'>()
  const interrupt = (): void => resolve('interrupted')
  for (const signal of SIGNALS) process.on(signal, interrupt)
  const watch = watchNpm(interrupt)
  const release = (): void => {
    clearInterval(watch)
    for (const signal of SIGNALS) process.off(signal, interrupt)
  }
  return { happened: promise, release }
}

/** Under npm, treats the end of npm as a signal: a killed npm passes no signal on, and this process would run unnoticed. */
function watchNpm(interrupt: () => void): NodeJS.Timeout | undefined {
  if (process.env['npm_lifecycle_event'] === undefined) return undefined
  const parent = process.ppid
  return setInterval(() => process.ppid !== parent && interrupt(), PARENT_POLL_MS).unref()
}

/** Publishes a cluster that serves, and resolves after the interruption. */
export async function keepRunning(cluster: Cluster, terminal: Terminal, interruption: Interruption): Promise<void> {
  const { path } = cluster.folder
  const published = await publish(cluster)
  try {
    const profile = profilePath(path)
    terminal.answer({ folder: path, profile, ...published }, `export MACAROOND_PROFILE=${shellWord(profile)}`)
    for (const line of directions(cluster)) terminal.say(line)
    await interruption.happened
    terminal.say('stopping')
  } finally {
    unpublish(path)
  }
}

/** The lines for a person. They go to stderr, so that stdout stays usable by `eval`. */
function directions(cluster: Cluster): readonly string[] {
  const nodes = cluster.nodes.map((spec) => `  ${spec.name}  ${spec.address}  pid ${cluster.pidOf(spec)}`)
  return [
    `the cluster is up until Ctrl-C; configurations, keys and logs are in ${cluster.folder.path}`,
    ...nodes,
    'what to try next, in another terminal, after the export above:',
    '  macaroond org create example',
    "  macaroond token mint --org example --subject alice --caveat 'op in read,write' > token.txt",
    '  macaroond token verify --org example --access op=read < token.txt',
    '  macaroond revoke --token - < token.txt',
    '  macaroond status --watch',
    ...outageOf(cluster),
    'in a checkout, write `npm run -s macaroond --` for `macaroond`',
    ...PAGES,
  ]
}

/** An outage to watch, and its end. */
function outageOf(cluster: Cluster): readonly string[] {
  const { primary, path } = cluster.folder
  return [
    `  kill -9 ${cluster.pidOf(primary)}   # the primary: the regions answer for one lease`,
    `  macaroond --lenient-files primary --config ${shellWord(join(path, 'primary.toml'))}   # and then again`,
  ]
}

/** The pages to read first. */
export const PAGES: readonly string[] = [
  'docs/concepts.md explains macaroons in ten minutes, docs/production.md leads to a cluster on machines of your own',
]

/** Quotes a text for a line that people paste into a shell. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
