/** Makes another machine the primary by a restore from the archive or a replica, while the first primary is only away. */
import { renameSync, symlinkSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { restore, type RestoreOptions } from '../../../ops/restore/restore.ts'
import { readSigned } from '../../../ops/restore/source.ts'
import { openArchive } from '../../../shared/archive/open-archive.ts'
import { pause } from '../../../shared/clock.ts'
import { MacaroondError, reportOf } from '../../../shared/errors.ts'
import type { Host } from '../../../shared/service/host.ts'
import type { Random } from '../../chaos/random.ts'
import { archiveIn, ipOf, REGIONS, SUCCESSOR } from '../nodes/members.ts'
import { runOperation } from '../nodes/operation.ts'
import type { Slot } from '../nodes/slot.ts'
import type { TestCluster } from '../nodes/test-cluster.ts'
import { askedBy, isConfirmed, NO_WISHES, trueClock, WORTH_WAITING } from './restored.ts'

export interface SuccessionOptions {
  readonly cluster: TestCluster
  /** The replica whose copy becomes the database. */
  readonly from: Slot
  readonly old: Slot
  readonly random: Random
  /** Brings the old primary back. */
  readonly wake: () => void
  /** How long both are there. */
  readonly bothMs: number
}

const [COPY, NEW] = ['copy', 'new']
const AGAIN_MS = 150
const ATTEMPTS_MAX = 120
/** Of the connections to the old primary: those that break when the address moves. */
const BROKEN = 0.6
const ASLEEP_MS_MAX = 400
/** A successor goes on past a base meanwhile. */
const ASLEEP_ARCHIVED_MS_MAX = 1_500
/** While there are two, who asks for something meets now the one, now the other. */
const DIALED_ANEW_MS = 180

/** Resolves with how often it took effect: 1, and 1 more for an old primary that was still there. */
export async function succeedPrimary(options: SuccessionOptions): Promise<number> {
  const { cluster, old, random, wake, bothMs } = options
  const { network, scheduler, trace } = cluster
  const { clock } = cluster.operator.host
  const atMs = scheduler.nowMs
  const archive = shareArchive(options)
  const { image, epoch, text, head } = await untilMade(options, archive)
  if (archive !== undefined) {
    symlinkSync(archive, archiveIn(image))
    cluster.archive?.checker.abandonAfter(head, epoch)
  }
  const loss = { atMs, untilMs: Infinity, epoch }
  cluster.losses.push(loss)
  const [first, second] = [cluster.machine('primary'), cluster.machine(SUCCESSOR)]
  cluster.leader = SUCCESSOR
  const slot = cluster.slot(SUCCESSOR)
  slot.replaceDisk(image)
  network.share(ipOf('primary'), first, second)
  for (const name of ['operator', ...REGIONS]) network.breakLinks(name, first.name, () => random.fraction() > BROKEN)
  slot.start()
  trace.say('succession', text)
  await pause(clock, random.fraction() * (archive === undefined ? ASLEEP_MS_MAX : ASLEEP_ARCHIVED_MS_MAX))
  wake()
  trace.say('succession', 'the first primary is back')
  const isThere = old.runs
  for (let leftMs = bothMs; leftMs > 0; leftMs -= DIALED_ANEW_MS) {
    await pause(clock, Math.max(1, Math.min(leftMs, DIALED_ANEW_MS)))
    for (const { name } of [first, second]) network.breakLinks('operator', name)
  }
  if (old.runs) old.kill()
  loss.untilMs = scheduler.nowMs
  network.share(ipOf('primary'), second)
  return 1 + Number(isThere)
}

/** The archive lies on neither machine from then on: both find it there. Undefined where nothing is archived. */
function shareArchive({ cluster, old }: SuccessionOptions): string | undefined {
  const { data } = old
  if (cluster.archive === undefined || data === undefined) return undefined
  const shared = join(cluster.folder, 'shared-archive')
  renameSync(archiveIn(data), shared)
  symlinkSync(shared, archiveIn(data))
  return shared
}

interface Made {
  readonly image: string
  /** Of the archive, as the restore read it. */
  readonly head: number
  readonly epoch: number
  readonly text: string
}

/** Until every replica has said what it knows. */
async function untilMade({ cluster, from, random }: SuccessionOptions, archive: string | undefined): Promise<Made> {
  const copied = imageOf(from)
  const work = (disk: string, host: Host): Promise<Omit<Made, 'image'>> => make(cluster, disk, host, archive)
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const operation = await runOperation({
      machine: cluster.machine(SUCCESSOR),
      network: cluster.network,
      folder: cluster.folder,
      random,
      images: { [COPY]: copied },
      powerLostAt: undefined,
      work,
    }).catch((error: unknown) => {
      if (!(error instanceof MacaroondError) || !WORTH_WAITING.has(error.code)) throw error
      cluster.trace.say('succession', `not yet: ${reportOf(error).message}`)
      return undefined
    })
    if (operation?.result !== undefined) return { image: join(operation.disk, NEW), ...operation.result.value }
    await pause(cluster.operator.host.clock, AGAIN_MS)
  }
  throw new Error(`no successor in ${ATTEMPTS_MAX} attempts`)
}

/** It is stopped for the copy only: then it can be asked as well. */
function imageOf(from: Slot): string {
  const { runs } = from
  if (runs) from.kill()
  const { image } = from
  if (runs) from.start()
  return image
}

async function sourceOf(
  { archive }: TestCluster,
  disk: string,
  host: Host,
  place: string | undefined,
): Promise<RestoreOptions['from']> {
  if (archive === undefined || place === undefined) return { replica: join(disk, COPY), comparedWith: undefined }
  symlinkSync(place, archiveIn(disk))
  const storage = archive.link.over(await openArchive(archiveIn(disk), { blocking: true }), host.clock)
  return { archive: await readSigned(storage, archive.checker.publicKey), target: { kind: 'head' } }
}

async function make(
  cluster: TestCluster,
  disk: string,
  host: Host,
  archive: string | undefined,
): Promise<Omit<Made, 'image'>> {
  const from = await sourceOf(cluster, disk, host, archive)
  const output = join(disk, NEW, 'macaroond.db')
  await mkdir(join(disk, NEW), { recursive: true, mode: 0o700 })
  const restored = await restore({
    ...NO_WISHES,
    ...host,
    clock: trueClock(cluster, host),
    output,
    from,
    publicKey: cluster.authorityKey,
    running: askedBy(host),
    oldData: undefined,
    confirm: (preview) => isConfirmed(preview, { yes: false }),
  })
  const { epoch = 0, txid } = restored?.begun ?? {}
  const head = 'archive' in from ? from.archive.highest.txid : 0
  return { epoch, head, text: `${epoch}.${txid}, ${restored?.preview.carried?.revocations.length ?? 0} carried over` }
}
