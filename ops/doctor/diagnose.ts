/**
 * Everything that `doctor` looks at: the checks of `config check`, then those that need the network, other nodes or this
 * machine. It changes nothing, except for an object that it creates and deletes in each archive.
 */
import { systemEntropy } from '../../shared/clock.ts'
import { errorAsFinding, type Finding, unique } from '../../shared/config/finding.ts'
import type { Profile } from '../../shared/config/profile.ts'
import { isFolderLocked } from '../../shared/sqlite/node-lock.ts'
import { shown } from '../../shared/shown.ts'
import { findingsOfFile } from '../config/findings.ts'
import type { ConfigKind, ExaminedFile } from '../config/kinds.ts'
import { tryArchive } from './archive.ts'
import { judgeClock, judgeDescriptors, judgePrimaryOf, judgeProfile, judgeRoom } from './judge.ts'
import { descriptorLimit, roomOf, tryListening } from './machine.ts'
import { callerOf, type Dialled, dialAll, type DialTarget } from './peers.ts'

type Config = ExaminedFile['config']

export interface DoctorReport {
  readonly findings: readonly Finding[]
  /** Checks that could not be made, each with the reason. */
  readonly skipped: readonly string[]
}

const BYTES_A_MEGABYTE = 1_000_000

/** `operator` is a profile that may ask nodes for their clocks; a node may not. */
export async function diagnose(file: string, kind: ConfigKind, operator: Profile | undefined): Promise<DoctorReport> {
  const { config, findings } = await findingsOfFile(file, kind, 'all')
  const isRunning = config.data !== undefined && isRunningOn(config.data)
  const asked: Promise<DoctorReport>[] = [
    kind === 'profile' ? examineProfile(config) : examineNode(config, isRunning),
    ...(kind === 'primary' ? [examineArchives(config)] : []),
    ...(kind === 'replica' ? [examinePrimaryOf(config)] : []),
    ...(kind === 'profile' ? [] : [examineClocks(operator)]),
  ]
  const parts = [{ findings, skipped: skippedKeks(config) }, ...(await Promise.all(asked))]
  return { findings: unique(parts.flatMap((part) => part.findings)), skipped: parts.flatMap((part) => part.skipped) }
}

const NOTHING: DoctorReport = { findings: [], skipped: [] }

/** A folder that this user may not lock is reported by the checks of the file. */
function isRunningOn(data: string): boolean {
  try {
    return isFolderLocked(data)
  } catch {
    return false
  }
}

/** A variable of the node's process need not be set here. */
function skippedKeks({ kek }: Config): readonly string[] {
  if (kek === undefined) return []
  const { previous = [], ...source } = kek
  return [source, ...previous].flatMap((one) =>
    'env' in one && process.env[one.env] === undefined
      ? [`the key-encryption key: ${shown(one.env)} is not set here; run this with the environment of the node`]
      : [],
  )
}

/** The machine of a node. A running node listens already, so its addresses are not tried. */
async function examineNode(config: Config, isRunning: boolean): Promise<DoctorReport> {
  const { data, listen, metrics, peers = [], disk } = config
  const addresses = [listen, metrics?.listen].filter((address) => address !== undefined)
  const bound = isRunning ? [] : await Promise.all(addresses.map((one) => errorAsFinding(() => tryListening(one))))
  const room = data === undefined ? [] : judgeRoom(roomOf(data, (disk?.reserve_mb ?? 0) * BYTES_A_MEGABYTE))
  const findings = [...bound.flat(), ...room, ...judgeDescriptors(descriptorLimit(), peers.length)]
  return { findings, skipped: isRunning ? ['the addresses to listen on: the node runs'] : [] }
}

async function examineArchives({ archive, data }: Config): Promise<DoctorReport> {
  if (archive?.enabled !== true || data === undefined) return NOTHING
  const places = [archive.to ?? `${data}-archive`, ...archive.copies]
  const tried = await Promise.all(places.map((place) => errorAsFinding(() => tryArchive(place, systemEntropy))))
  return { findings: tried.flat(), skipped: [] }
}

async function examinePrimaryOf({ primary, ...caller }: Config): Promise<DoctorReport> {
  const answers = await dialled(caller, primary === undefined ? [] : [{ ...primary, kind: 'primary' }])
  return { findings: answers.flatMap(judgePrimaryOf), skipped: [] }
}

async function examineProfile({ primary, replicas = [], ...caller }: Config): Promise<DoctorReport> {
  const nodes: readonly DialTarget[] = [
    ...(primary === undefined ? [] : [{ ...primary, kind: 'primary' as const }]),
    ...replicas.map((replica) => ({ ...replica, kind: 'replica' as const })),
  ]
  const answers = await dialled(caller, nodes)
  const isTold = answers.some(({ clock }) => clock !== undefined)
  const skipped = isTold || answers.length === 0 ? [] : ['the clocks of the nodes: they tell them to an operator only']
  return { findings: [...judgeProfile(answers), ...clockFindings(answers)], skipped }
}

async function examineClocks(operator: Profile | undefined): Promise<DoctorReport> {
  if (operator === undefined) {
    return { findings: [], skipped: ['the clock against the other nodes: give --profile with an operator’s profile'] }
  }
  const { cluster, identity, primary, replicas } = operator
  const nodes: readonly DialTarget[] = [
    { ...primary, kind: 'primary' },
    ...replicas.map((replica) => ({ ...replica, kind: 'replica' as const })),
  ]
  return { findings: clockFindings(await dialled({ cluster, identity }, nodes)), skipped: [] }
}

function clockFindings(answers: readonly Dialled[]): readonly Finding[] {
  return answers.flatMap(({ clock }) => (clock === undefined ? [] : judgeClock(clock)))
}

/** Without a readable identity nobody is dialled: the checks of the file report the identity. */
async function dialled(
  { cluster, identity }: Pick<Config, 'cluster' | 'identity'>,
  peers: readonly DialTarget[],
): Promise<readonly Dialled[]> {
  if (cluster === undefined || identity === undefined) return []
  const caller = await callerOf(cluster, identity)
  return caller === undefined ? [] : dialAll(caller, peers)
}
