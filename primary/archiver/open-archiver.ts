/** Makes a primary's archiver, if it has one, and its schedules. */
import { requireCreateIfAbsent } from '../../shared/archive/epoch-claim.ts'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { systemClock, systemEntropy } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { scheduleJob } from '../../shared/service/schedule.ts'
import type { Command } from '../authority/commands.ts'
import type { PrimaryConfig } from '../config.ts'
import { Archiver, type ArchiverOptions } from './archiver.ts'
import { JOB_SCHEDULES } from './config.ts'
import type { JobName } from './core.ts'

type Note = Extract<Command, { kind: 'archive.note' }>

export interface OpenArchiverOptions extends Pick<
  ArchiverOptions,
  'source' | 'signingKey' | 'ring' | 'log' | 'onFatal'
> {
  readonly config: PrimaryConfig
  /** Writes an audit record; rejects while writes are not taken. */
  readonly note: (command: Note) => Promise<unknown>
}

const ACTOR = { text: 'archiver' } as const
/** The merging every half minute must not come late by as much. */
const JITTER_MS = 5_000

/** Where a configuration says that its archive is. */
export function archiveLocation({ archive, data }: Pick<PrimaryConfig, 'archive' | 'data'>): string | undefined {
  if (!archive.enabled) return undefined
  return archive.to ?? `${data}-archive`
}

/** Undefined where the configuration wants none. Throws platform_unsupported, archive_denied, archive_missing. */
export async function openArchiver(options: OpenArchiverOptions): Promise<Archiver | undefined> {
  const { config, note, log } = options
  const location = archiveLocation(config)
  if (location === undefined) return undefined
  const storage = await openArchive(location, { create: true })
  await requireCreateIfAbsent(storage, systemEntropy)
  return new Archiver({
    ...options,
    config: config.archive,
    cluster: config.cluster,
    storage,
    scratch: config.data,
    clock: systemClock,
    entropy: systemEntropy,
    onDrilled: (outcome) => void note(noteOf(outcome)).catch(() => log.warn('a restore drill is not in the audit')),
  })
}

function noteOf(outcome: Parameters<ArchiverOptions['onDrilled']>[0]): Note {
  const failed = outcome instanceof MacaroondError
  const { detail } = failed
    ? { detail: { ok: false, code: outcome.code, message: outcome.message } }
    : { detail: { ok: true, txid: outcome.txid, bytes: outcome.bytes, keyUnsealed: outcome.keyUnsealed } }
  return { kind: 'archive.note', actor: ACTOR, action: 'archive.drill', detail }
}

/** Returns what ends them. */
export function scheduleArchiving(
  archiver: Archiver,
  { config, note, source, log }: Pick<OpenArchiverOptions, 'config' | 'note' | 'source' | 'log'>,
): () => void {
  const { schedule } = config.archive
  const jobs = Object.entries(JOB_SCHEDULES).map(([job, key]) => {
    const run = (): Promise<void> => Promise.resolve(archiver.due(job as JobName))
    return { name: `archive ${job}`, at: schedule[key], run, jitterMs: JITTER_MS }
  })
  let seen = source.head.txid
  const heartbeat = async (): Promise<void> => {
    const quiet = source.head.txid === seen
    // That it arrives is watched as for any other transaction: one that does not raises an alert.
    if (quiet) await note({ kind: 'archive.note', actor: ACTOR, action: 'archive.heartbeat', detail: {} })
    seen = source.head.txid
  }
  const all = [...jobs, { name: 'archive heartbeat', at: schedule.heartbeat, run: heartbeat, jitterMs: JITTER_MS }]
  const cancels = all.map((job) => scheduleJob(job, log))
  return () => {
    for (const cancel of cancels) cancel()
  }
}
