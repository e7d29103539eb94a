/**
 * The checks of a configuration or a profile, and of the files that it names, in one list. A start and `config check` run the
 * same checks. An error keeps a node from starting; a warning is logged.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { delimiter, dirname, join, relative } from 'node:path'
import { EPOCHS_PREFIX, MANIFEST_PREFIX, SEGMENTS_PREFIX } from '../archive/layout.ts'
import { type Identity, loadIdentity } from '../channel/identity.ts'
import { MacaroondError } from '../errors.ts'
import { refuseUnknownRequired } from '../files/required-files.ts'
import type { Distrust } from '../files/trust.ts'
import { distrustInside, distrustOfPath } from '../files/trusted-file.ts'
import type { Log } from '../log.ts'
import type { Kek } from '../sealing.ts'
import { databaseFindings } from './check-database.ts'
import { type CheckedConfig, type CheckTarget, errorAsFinding, type Finding, unique } from './finding.ts'
import { type KekRing, loadKeks } from './kek.ts'
import type { KekSettings, KekSource } from './node-config.ts'
import { shown } from '../shown.ts'
import { fromConfigFolder } from './read-config.ts'

export type Check = (checked: CheckTarget) => readonly Finding[] | Promise<readonly Finding[]>

/** The folder of the primary's segment log inside `data`. */
const LOG_FOLDER = 'log'

/** Add a new check here. The keys are not read by these checks, because a start reads them anyway. */
const CHECKS: readonly Check[] = [
  trusted,
  dataUsable,
  requiredFilesKnown,
  dataPrivate,
  archiveElsewhere,
  kekElsewhere,
  notAlone,
]

/** The key-encryption keys to load: those in files only, or those of commands and environment variables as well. */
export type KekSources = 'files' | 'all'

/**
 * Checks a file without running the node. With `files` it runs no command and reads no variable: these belong to the node's
 * process. With `all` it runs the commands, but only if no other user could have written them.
 */
export async function findingsOf(checked: CheckTarget, sources: KekSources = 'files'): Promise<readonly Finding[]> {
  const { identity } = checked.config
  const identityFaults = identity === undefined ? [] : await errorAsFinding(() => loadIdentity(identity))
  const checks = await runChecks(checked)
  const isTrusted = !checks.some(({ code }) => code === 'file_untrusted')
  const { ring, findings: kekFaults } = await loadRing(checked, isTrusted ? sources : 'files')
  return unique([...identityFaults, ...kekFaults, ...checks, ...(await databaseFindings(checked, ring))])
}

/** Loads what may be loaded. `ring` is undefined unless that is all. */
async function loadRing(
  { file, config: { kek } }: CheckTarget,
  sources: KekSources,
): Promise<{ readonly ring: readonly Kek[] | undefined; readonly findings: readonly Finding[] }> {
  if (kek === undefined) return { ring: undefined, findings: [] }
  const { previous = [], ...source } = kek
  const all = [source, ...previous]
  const loadable = all.filter((one) => 'file' in one || (sources === 'all' && isReachable(one)))
  const ring: Kek[] = []
  const findings: Finding[] = []
  for (const one of loadable) {
    const load = async (): Promise<unknown> => ring.push((await loadKeks(one, file, process.env)).kek)
    findings.push(...(await errorAsFinding(load)))
  }
  return { ring: ring.length === all.length ? ring : undefined, findings }
}

/** A variable of the node's process need not be set in this one. */
function isReachable(source: KekSource): boolean {
  return !('env' in source) || process.env[source.env] !== undefined
}

/** Returns the first error among the findings, to be thrown or shown. */
export function errorIn(findings: readonly Finding[]): MacaroondError | undefined {
  const error = findings.find((finding) => finding.severity === 'error')
  return error && new MacaroondError(error.code, error.reason, { hint: error.action })
}

/** The keys that a node needs for its start. */
export interface Secrets extends KekRing {
  readonly identity: Identity
}

/** A configuration of a node, which has passed its schema. */
type LoadedConfig = CheckedConfig & { readonly identity: string; readonly kek: KekSettings }

/** Loads the keys for a start. Throws the first error that a check finds or that loading a key throws; logs the warnings. */
export async function checkAndLoadSecrets(
  { file, config }: { readonly file: string; readonly config: LoadedConfig },
  log: Log,
): Promise<Secrets> {
  // This must come first, because the files name programs to run and keys to trust.
  const distrust = errorIn(trusted({ file, config }))
  if (distrust !== undefined) throw distrust
  const identity = await loadIdentity(config.identity)
  const keks = await loadKeks(config.kek, file, process.env)
  const findings = await runChecks({ file, config })
  const error = errorIn(findings)
  if (error !== undefined) throw error
  for (const { code, reason, action } of findings) log.warn({ code, action }, reason)
  return { identity, ...keks }
}

async function runChecks(checked: CheckTarget): Promise<readonly Finding[]> {
  return (await Promise.all(CHECKS.map(async (check) => check(checked)))).flat()
}

/** Checks that no other user can replace the configuration or any file that it names. A bucket has its own access rights. */
function trusted(checked: CheckTarget): readonly Finding[] {
  const { file, config } = checked
  const archives = archiveFolders(config)
  const keks = [...kekFiles(checked), ...kekPrograms(config)]
  const named = [config.identity, config.signing_key, ...keks, config.data, ...archives]
  const paths = [file, ...named].filter((path) => path !== undefined)
  const { data } = config
  const folders = [...(data === undefined ? [] : [data, join(data, LOG_FOLDER)]), ...archives.flatMap(foldersOfArchive)]
  return unique(
    [...paths.flatMap((path) => distrustOfPath(path)), ...folders.flatMap(distrustInside)].map(findingOfDistrust),
  )
}

function findingOfDistrust({ severity, reason, action }: Distrust): Finding {
  if (severity === 'error') return { severity, code: 'file_untrusted', reason, action }
  return { severity, code: 'files_of_others', reason, action }
}

function archiveFolders({ data, archive }: CheckedConfig): readonly string[] {
  if (data === undefined || archive?.enabled !== true) return []
  const { to = `${data}-archive`, copies } = archive
  return [to, ...copies].map((place) => place.replace(/^file:\/\//, '')).filter((place) => !place.includes('://'))
}

/**
 * The folders of an archive whose entries are judged. Its files are signed, but a user who may write one, or its folder, can
 * take it away. Segments and snapshots are not judged one by one: there may be a million, and a restore compares them.
 */
function foldersOfArchive(archive: string): readonly string[] {
  const [manifest, epochs] = [join(archive, MANIFEST_PREFIX), join(archive, EPOCHS_PREFIX)]
  return [archive, join(archive, SEGMENTS_PREFIX), dirname(manifest), manifest, epochs]
}

/** Checks that the data folder is writable, or that this user may create it. */
function dataUsable({ config: { data } }: CheckTarget): readonly Finding[] {
  if (data === undefined) return []
  const place = nearestExisting(data)
  const isFolder = statSync(place).isDirectory()
  if (isFolder && mayWrite(place)) return []
  const reason = isFolder ? `this user may not write ${shown(place)}` : `${shown(place)} is not a folder`
  const action = isFolder ? `chown it to the user that macaroond runs as` : `correct \`data\`, or move the file away`
  return [{ severity: 'error', code: 'io_failed', reason, action }]
}

/** Refuses a folder with a `required-…` file of a newer version. */
function requiredFilesKnown({ config: { data } }: CheckTarget): Promise<readonly Finding[]> {
  return errorAsFinding(() => data !== undefined && refuseUnknownRequired(data))
}

/** Warns if other users of the machine may read the database. */
function dataPrivate({ config: { data } }: CheckTarget): readonly Finding[] {
  if (data === undefined || !existsSync(data) || (statSync(data).mode & 0o007) === 0) return []
  const reason = `every user of this machine can enter ${shown(data)}`
  return [{ severity: 'warning', code: 'data_readable', reason, action: `chmod 700 ${shown(data)}` }]
}

/** Warns if there is no archive, or if it would be lost together with the data. */
function archiveElsewhere({ config: { archive } }: CheckTarget): readonly Finding[] {
  if (archive === undefined || (archive.enabled && archive.to !== undefined)) return []
  const [code, reason] = archive.enabled
    ? (['archive_beside_data', 'the archive is beside the data, and would be lost with it'] as const)
    : (['not_archived', 'nothing is archived'] as const)
  return [{ severity: 'warning', code, reason, action: 'name another disk or a bucket: `to` under [archive]' }]
}

/** Warns if the KEK is in a folder with the secrets that it seals: whoever copies the folder can open them (S11). */
function kekElsewhere(checked: CheckTarget): readonly Finding[] {
  const { data, archive } = checked.config
  if (data === undefined) return []
  const folders = [data, ...(archive?.to === undefined ? [`${data}-archive`] : [archive.to, ...archive.copies])]
  return kekFiles(checked)
    .filter((path) => folders.some((folder) => isInside(path, folder)))
    .map((path) => ({
      severity: 'warning',
      code: 'kek_beside_data',
      reason: `the key-encryption key ${shown(path)} is in a folder with the data it protects: a copy of the folder has both`,
      action: 'move it to another folder, out of every backup of this one',
    }))
}

/** Absolute paths of the KEKs in files. */
function kekFiles({ file, config: { kek } }: CheckTarget): readonly string[] {
  if (kek === undefined) return []
  const { previous = [], ...source } = kek
  return [source, ...previous].flatMap((one) => ('file' in one ? [fromConfigFolder(file, one.file)] : []))
}

/** The program that prints the KEK, and its arguments that are files, such as a script. They start in the working folder. */
function kekPrograms({ kek }: CheckedConfig): readonly string[] {
  if (kek === undefined) return []
  const { previous = [], ...source } = kek
  return [source, ...previous].flatMap((one) => {
    const [program = '', ...args] = 'command' in one ? one.command : []
    return [...resolveProgram(program), ...args].filter(isFile)
  })
}

/** Resolves a program through PATH, as `spawn` does. */
function resolveProgram(program: string): readonly string[] {
  if (program === '' || program.includes('/')) return [program]
  const found = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program))
  return found.filter(isFile).slice(0, 1)
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

/** Warns about `alone = true` with replicas: a primary on an old disk could then fork the history. */
function notAlone({ config: { alone, peers = [] } }: CheckTarget): readonly Finding[] {
  if (alone !== true || !peers.some(({ role }) => role === 'replica')) return []
  const reason = 'with `alone = true` writes open at once: no replica is asked whether this disk is the newest'
  const action = 'remove `alone` once the replicas can be reached'
  return [{ severity: 'warning', code: 'alone_with_replicas', reason, action }]
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path)
  return way !== '' && !way.startsWith('..')
}

/** Returns the path, or the nearest folder above it that exists. */
function nearestExisting(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestExisting(dirname(path))
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}
