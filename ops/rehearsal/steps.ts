/**
 * The steps of `archive rehearse`: a primary is killed and its disk deleted, its database is restored from the archive to a
 * time before a revocation, and the cluster goes on with that revocation in force. The time without a primary is measured.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import type { PrimaryStatus } from '../../shared/protocol/status.ts'
import { runningCluster, askStatus } from '../clients.ts'
import { type Restored, restore } from '../restore/restore.ts'
import { openSigned } from '../restore/source.ts'
import { acceptedEverywhere, clusterUp, orgCreated } from '../tour/mint-and-verify.ts'
import { ORG, READ, type TourCluster } from '../tour/stage.ts'
import { requireThat, type TourStep } from '../tour/step.ts'

/** Enough transactions for the archive to have several files. */
const MINTED_BEFORE = 200
/** Uploads come every second; the rest is for a slow machine. */
const PATIENCE_MS = 20_000
const POLL_MS = 10

/** The values that earlier steps leave for later steps. */
interface Rehearsed {
  /** A token that must stay valid. */
  kept: string
  /** A token that must stay revoked. */
  revoked: string
  /** The time to restore to, unix milliseconds. */
  momentMs: number
  /** When the primary was killed, by the monotonic clock. */
  lostMs: number
  /** Read while the primary lives, as an operator must: the archive cannot vouch for itself. */
  authorityKey: string
}

/** The steps in order, which share one `Rehearsed`. */
export function rehearsalSteps(): readonly TourStep[] {
  const values: Rehearsed = { kept: '', revoked: '', momentMs: 0, lostMs: 0, authorityKey: '' }
  const steps = [minted, revokedAfterwards, archived, diskLost, restored, backToService, revocationKept, archiveGoesOn]
  return [clusterUp, orgCreated, ...steps.map((step) => step(values))]
}

type StepOf = (values: Rehearsed) => TourStep

const minted: StepOf = (values) => ({
  title: 'tokens minted',
  run: async ({ signer }) => {
    values.kept = (await signer.mint({ org: ORG, subject: 'alice' })).token
    values.revoked = (await signer.mint({ org: ORG, subject: 'mallory' })).token
    for (let count = 2; count < MINTED_BEFORE; count += 1) await signer.mint({ org: ORG, subject: `user ${count}` })
    return { detail: `${MINTED_BEFORE}, each a transaction` }
  },
})

const revokedAfterwards: StepOf = (values) => ({
  title: 'a token revoked afterwards',
  run: async ({ signer }) => {
    // Two transactions need different timestamps, so that a time between them exists.
    await setTimeout(POLL_MS)
    values.momentMs = systemClock.wallMs()
    await setTimeout(POLL_MS)
    const { id, durability } = await signer.revoke({ token: values.revoked, reason: 'stolen' })
    return { detail: `${id}, durable: ${durability}; the restore goes to a time before it` }
  },
})

const archived: StepOf = (values) => ({
  title: 'everything archived',
  run: async (stage) => {
    const status = await archiveCaughtUp(stage)
    values.authorityKey = status.authorityKey
    return { detail: `${status.archive?.files} files up to ${status.archive?.position}` }
  },
})

const diskLost: StepOf = (values) => ({
  title: 'primary killed, its disk lost',
  run: async ({ cluster }) => {
    const { primary, path } = cluster.folder
    await cluster.kill(primary)
    values.lostMs = systemClock.monotonicMs()
    rmSync(join(path, primary.name), { recursive: true })
    return { detail: 'SIGKILL, and the data folder deleted' }
  },
})

const restored: StepOf = (values) => ({
  title: 'restored to the moment before',
  run: async ({ cluster }) => {
    const { primary, path, profile, archive } = cluster.folder
    requireThat(archive !== null, 'the primary has no archive')
    const data = join(path, primary.name)
    mkdirSync(data, { mode: 0o700 })
    const done = await restore({
      from: {
        archive: await openSigned(archive, Buffer.from(values.authorityKey, 'hex')),
        target: { kind: 'time', atMs: values.momentMs },
      },
      // Straight into the data folder: the primary starts on it without a further step.
      output: join(data, 'macaroond.db'),
      publicKey: Buffer.from(values.authorityKey, 'hex'),
      running: runningCluster(profile),
      oldData: undefined,
      newest: undefined,
      withoutRevocations: false,
      acceptClock: false,
      clock: systemClock,
      entropy: systemEntropy,
      onProgress: () => undefined,
      // An operator would have to decide about unread places, so the rehearsal fails if there are any.
      confirm: ({ unread }) => unread.length === 0,
    })
    requireThat(done !== undefined, 'something that is known to exist could not be read')
    return { detail: describe(done) }
  },
})

function describe({ preview, begun }: Restored): string {
  const carried = preview.carried?.revocations.length ?? 0
  return `to txid ${preview.plan?.point.txid} from ${preview.plan?.files.length} files, ${carried} revocation added; epoch ${begun?.epoch}`
}

const backToService: StepOf = (values) => ({
  title: 'back to service',
  run: async (stage) => {
    const { cluster } = stage
    await cluster.startNode(cluster.folder.primary)
    await cluster.untilServing()
    const { position } = await stage.signer.mint({ org: ORG, subject: 'after' })
    const ms = systemClock.monotonicMs() - values.lostMs
    return { ms, detail: `writes open ${Math.round(ms)} ms after the loss, at ${position}` }
  },
})

const revocationKept: StepOf = (values) => ({
  title: 'revocation kept, tokens kept',
  run: async (stage) => {
    await acceptedEverywhere(stage, values.kept)
    const verdicts = await Promise.all(stage.regions.map((region) => stage.verify(region, values.revoked, READ)))
    for (const verdict of verdicts) {
      requireThat(
        !verdict.ok && verdict.reason === 'revoked',
        'a token that was revoked after the restored time is valid again',
      )
    }
    return { detail: `in ${stage.regions.join(' and ')}` }
  },
})

/** The new epoch must be archived too, or the next disaster would lose it. */
const archiveGoesOn: StepOf = () => ({
  title: 'archive goes on',
  run: async (stage) => {
    const { archive } = await archiveCaughtUp(stage)
    return { detail: `up to ${archive?.position}` }
  },
})

/** Waits until every transaction is in the archive. Throws tour_failed after PATIENCE_MS. */
async function archiveCaughtUp({ cluster }: TourCluster): Promise<PrimaryStatus> {
  const { profile } = cluster.folder
  const untilMs = systemClock.monotonicMs() + PATIENCE_MS
  for (;;) {
    const status = await askStatus(profile, profile.primary)
    requireThat(status.role === 'primary', 'the node at the primary’s address is not a primary')
    if (status.archive?.lag === 0 && status.archive.position !== null) return status
    const { alerts = ['there is none'], lag = 0 } = status.archive ?? {}
    requireThat(systemClock.monotonicMs() < untilMs, `the archive is ${lag} transactions behind: ${alerts.join('; ')}`)
    await setTimeout(POLL_MS)
  }
}
