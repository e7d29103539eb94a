/** Restores the primary's machine to a random past transaction, with the product's own restore. */
import { existsSync, renameSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type RunningCluster, adminOver } from '../../../ops/admin.ts'
import { restore, type Preview, type RestoreOptions } from '../../../ops/restore/restore.ts'
import { type ArchiveSource, readSigned } from '../../../ops/restore/source.ts'
import { openArchive } from '../../../shared/archive/open-archive.ts'
import { pause } from '../../../shared/clock.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import { MacaroondError, reportOf } from '../../../shared/errors.ts'
import type { Host } from '../../../shared/service/host.ts'
import type { Txid } from '../../../shared/ids.ts'
import { openReader } from '../../../shared/sqlite/open-database.ts'
import type { Random } from '../../chaos/random.ts'
import { addressOf, archiveIn, CLUSTER, identityOf, REGIONS } from '../nodes/members.ts'
import { type Operation, runOperation } from '../nodes/operation.ts'
import type { Slot } from '../nodes/slot.ts'
import type { TestCluster } from '../nodes/test-cluster.ts'

export interface RestoringOptions {
  readonly cluster: TestCluster
  /** Of the primary, which does not run; held by the caller. */
  readonly slot: Slot
  readonly random: Random
  /** Every replica has kept what it said was durable. */
  readonly replicasAreWhole: boolean
  /** Power goes at so many calls that touch the disk; undefined for never. */
  readonly powerLostAt: number | undefined
  /** From an old copy of the archive, and nobody is asked. */
  readonly isBlind: boolean
}

/** What the operator has decided, and stays with however often it takes. */
export interface Decision {
  /** Of the archive. */
  readonly head: number
  readonly target: Txid
  /** What the archive and the replicas know has to be enough. */
  readonly isLost: boolean
  readonly isBlind: boolean
}

const DATABASE = 'macaroond.db'
const [OLD, NEW] = ['old', 'new']
const AGAIN_MS = 150
const ATTEMPTS_MAX = 120
const DISK_LOST = 0.6
const SILENT = 'cannot be read'
/** What else a restore says of what it could not read: that there was more. */
const MORE =
  /is newer than all that was read|has claimed epoch|is not believed: (the authority signed|no position of its|its record does not|no signed position|its log ends|no log lies)/

/** Calls a restore off for now: somebody who may know of revocations does not answer. */
export const WORTH_WAITING: ReadonlySet<string> = new Set(['restore_unconfirmed', 'archive_unavailable'])

/** While no time passes. Undefined where there is nothing to restore from yet. */
export async function decide({
  cluster,
  slot,
  random,
  replicasAreWhole,
  isBlind,
}: RestoringOptions): Promise<Decision | undefined> {
  const archive = await cluster.archive?.checker.open(slot.image)
  const target = random.pick([...new Set(archive?.files.map(({ maxTxid }) => maxTxid))])
  const isLost = random.fraction() < DISK_LOST && replicasAreWhole
  if (archive?.head === undefined || target === undefined) return undefined
  return { head: archive.head.txid, target, isLost: isLost || isBlind, isBlind }
}

/** Replaces the disk of the slot. Resolves with whether it was interrupted. */
export async function restoreSomePast(options: RestoringOptions, decision: Decision): Promise<boolean> {
  const { cluster, slot } = options
  const { head, target, isLost, isBlind } = decision
  const atMs = cluster.scheduler.nowMs
  const promised = revokedBefore(cluster, decision)
  const { disk, text, epoch, interrupted } = await untilRestored(options, decision)
  requireRevoked(join(disk, NEW, DATABASE), promised)
  cluster.archive?.checker.abandonAfter(head, epoch)
  renameSync(archiveIn(join(disk, OLD)), archiveIn(join(disk, NEW)))
  slot.replaceDisk(join(disk, NEW))
  if (isLost) cluster.losses.push({ atMs, untilMs: atMs, epoch, isBlind })
  cluster.trace.say('restore', `to ${target} of ${head}, ${isLost ? 'without' : 'with'} the old disk: ${text}`)
  return interrupted
}

/**
 * Ids of the tokens whose revocation was acknowledged. With the old disk that is all of them, else those that were durable. A
 * restore that asked nobody gives up revocations, so nothing is required of it and of those after it.
 */
function revokedBefore({ events, losses }: TestCluster, { isLost, isBlind }: Decision): readonly string[] {
  if (isBlind || losses.some((loss) => loss.isBlind)) return []
  return events.flatMap((event) =>
    event.t === 'revoke' && event.result === 'ok' && event.named.kind === 'token' && !(isLost && event.wait === 'local')
      ? [event.named.id]
      : [],
  )
}

/** Replicas deny what a restored database lacks, so tokens alone do not show that a restore lost a revocation (S8). */
function requireRevoked(database: string, ids: readonly string[]): void {
  const db = openReader(database)
  try {
    const rows = db.prepare<[], { key: Buffer }>("SELECT key FROM revocations WHERE kind = 'token'").all()
    const found = new Set(rows.map(({ key }) => `${key.toString('hex', 0, 8)}.${key.toString('hex', 8)}`))
    const lost = ids.find((id) => !found.has(id))
    if (lost !== undefined) throw new Error(`the restored database lacks the revocation of ${lost}`)
  } finally {
    db.close()
  }
}

interface Brought {
  readonly text: string
  readonly epoch: number
}

/** Again and again, on what the attempt before has left on the disk: power is lost once at most, answers are waited for. */
async function untilRestored(
  { cluster, slot, random, powerLostAt }: RestoringOptions,
  decision: Decision,
): Promise<Brought & { readonly disk: string; readonly interrupted: boolean }> {
  const { network, scheduler } = cluster
  let images: Readonly<Record<string, string>> = { [OLD]: slot.image }
  let interrupted = false
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const operation: Operation<Brought> | undefined = await runOperation({
      machine: slot.machine,
      network,
      folder: cluster.folder,
      images,
      random,
      powerLostAt: interrupted ? undefined : powerLostAt,
      work: (disk, host) => bringBack(cluster, disk, host, decision),
    }).catch((error: unknown) => {
      if (!(error instanceof MacaroondError) || !WORTH_WAITING.has(error.code)) throw error
      cluster.trace.say('restore', `not yet: ${reportOf(error).message}`)
      return undefined
    })
    if (operation?.result !== undefined) return { ...operation.result.value, disk: operation.disk, interrupted }
    if (operation !== undefined) {
      interrupted = true
      cluster.trace.say('restore', 'interrupted')
      const left = join(operation.disk, OLD)
      cluster.aside(async () => cluster.archive?.checker.checkAfterCrash(left))
      images = {
        [OLD]: join(operation.disk, OLD),
        ...(existsSync(join(operation.disk, NEW)) ? { [NEW]: join(operation.disk, NEW) } : {}),
      }
    }
    await pause(cluster.operator.host.clock, AGAIN_MS)
  }
  throw new Error(`no restore in ${ATTEMPTS_MAX} attempts, the last one at ${scheduler.nowMs}`)
}

/** One attempt. What has its name is whole, whatever came after it. */
async function bringBack(cluster: TestCluster, disk: string, host: Host, decision: Decision): Promise<Brought> {
  const [data, output] = [join(disk, OLD), join(disk, NEW, DATABASE)]
  if (existsSync(output)) return { text: 'what was there already', epoch: epochIn(output) }
  await mkdir(join(disk, NEW), { recursive: true, mode: 0o700 })
  const { link, checker } = cluster.archive ?? {}
  if (link === undefined || checker === undefined) throw new Error('nothing is archived')
  const storage = link.over(await openArchive(archiveIn(data), { blocking: true }), host.clock)
  const read = await readSigned(storage, checker.publicKey)
  const { isLost, isBlind, target } = decision
  const restored = await restore({
    ...NO_WISHES,
    ...host,
    clock: trueClock(cluster, host),
    output,
    from: { archive: isBlind ? asOf(read, target) : read, target: { kind: 'txid', txid: target } },
    publicKey: checker.publicKey,
    running: isBlind ? undefined : askedBy(host),
    oldData: isLost ? undefined : data,
    confirm: (preview) => isBlind || isConfirmed(preview, { yes: !isLost }),
  })
  const { epoch = 0, txid } = restored?.begun ?? {}
  const { revocations = [], sources = [] } = restored?.preview.carried ?? {}
  return {
    epoch,
    text: `${epoch}.${txid}, ${revocations.length} carried over from ${sources.map(({ from }) => from).join(', ')}`,
  }
}

/** The copy that was made then; only who leads next is said by the archive itself. */
function asOf(archive: ArchiveSource, target: Txid): ArchiveSource {
  return { ...archive, files: archive.files.filter(({ maxTxid }) => maxTxid <= target), head: undefined }
}

export const NO_WISHES: Pick<RestoreOptions, 'newest' | 'withoutRevocations' | 'acceptClock' | 'onProgress'> = {
  newest: undefined,
  withoutRevocations: false,
  acceptClock: false,
  onProgress: () => undefined,
}

/** Who restores looks at the clock of the machine first, and puts it right. */
export function trueClock(cluster: TestCluster, { clock }: Host): Host['clock'] {
  return { ...clock, wallMs: () => cluster.operator.host.clock.wallMs() }
}

/** Over the network of the machine that it runs on. */
export function askedBy(host: Pick<Host, 'clock' | 'transport'>): RunningCluster {
  const node = (name: string): { readonly address: string; readonly peer_id: string } => ({
    address: addressOf(name),
    peer_id: identityOf(name).peerId,
  })
  return {
    cluster: CLUSTER,
    primary: node('primary'),
    replicas: REGIONS.map((region) => ({ region, ...node(region) })),
    admin: adminOver({ cluster: CLUSTER, identity: identityOf('operator'), host }),
  }
}

/** A snapshot that came after the last signature: the operator knows the disk and takes the copy for what it is. */
const GAP = /its record lacks transaction \d+/

/**
 * Whoever cannot be read now is waited for; that there was more, on a disk that is gone, is no reason to wait. `yes`: the old
 * disk, which was read, has everything that was acknowledged. Throws restore_unconfirmed.
 */
export function isConfirmed({ unread }: Preview, { yes }: { readonly yes: boolean }): boolean {
  const silent = unread.filter((text) => text.includes(SILENT))
  const other = unread.find((text) => !text.includes(SILENT) && !MORE.test(text) && !GAP.test(text))
  if (other !== undefined) throw new Error(`nobody knows what an operator does about this: ${other}`)
  if (silent.length === 0 || yes) return true
  throw new MacaroondError('restore_unconfirmed', silent.join('; '))
}

function epochIn(path: string): number {
  const db = openReader(path)
  try {
    return new MetaReader(db).read().epoch
  } finally {
    db.close()
  }
}
