/** Builds a primary's archivers and their schedules from the configuration. */
import { join } from 'node:path'
import { openArchive } from '../../shared/archive/open-archive.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import type { Host } from '../../shared/service/host.ts'
import type { AlarmBoard } from '../../shared/service/alarm-board.ts'
import type { CommandOf } from '../authority/commands.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import type { PrimaryConfig } from '../config.ts'
import { Archiver, type ArchiverOptions } from './archiver.ts'
import { Archives } from './archives.ts'
import { JOB_SCHEDULES } from './config.ts'
import type { JobName } from './state.ts'
import type { DrillRunner } from './drill/drill.ts'
import { drillInThread } from './drill/drill-thread.ts'

type Note = CommandOf<'audit.note'>

/** Functions that open and drill an archive. The simulator replaces both: it has a storage of its own, and a single thread. */
export interface ArchivePorts {
  readonly open: typeof openArchive
  readonly drill: DrillRunner
  /** Minimum number of changes before a base is written. The simulator lowers it, because its runs are short. */
  readonly baseAfter?: number
}

const SYSTEM_PORTS: ArchivePorts = { open: openArchive, drill: drillInThread }

export interface OpenArchiverOptions extends Pick<
  ArchiverOptions,
  'source' | 'signingKey' | 'ring' | 'log' | 'onClaimed' | 'onFatal' | 'diskFull' | 'onDiskFull' | 'newArchive'
> {
  readonly config: PrimaryConfig
  readonly host: Pick<Host, 'clock' | 'entropy' | 'schedule'>
  readonly ports?: ArchivePorts | undefined
  readonly alarms: Pick<AlarmBoard, 'set'>
  /** Holds the recorded chains of the archives, and writes audit notes. */
  readonly writer: Pick<GroupWriter, 'state' | 'submit' | 'nudge'>
}

const ACTOR = { text: 'archiver' } as const

/** The location of the archive; undefined if the configuration has none. */
export function archiveLocation({ archive, data }: Pick<PrimaryConfig, 'archive' | 'data'>): string | undefined {
  if (!archive.enabled) return undefined
  return archive.to ?? `${data}-archive`
}

/**
 * True if the archive is not beside the data. An archive beside the data proves nothing, because a rollback takes both back.
 */
export function isWitness({ enabled, to }: PrimaryConfig['archive']): boolean {
  return enabled && to !== undefined
}

/** Undefined if the configuration has no archive. */
export function openArchives(options: OpenArchiverOptions): Archives | undefined {
  const { config, log } = options
  const location = archiveLocation(config)
  if (location === undefined) return undefined
  const copies = config.archive.copies.map((copy, index) => {
    const onFatal = (error: MacaroondError): void =>
      log.error({ error: reportOf(error), copy }, 'archiving to a copy has stopped until the next start')
    const own = { ...options, onFatal, onClaimed: () => undefined }
    return openArchiver(own, copy, index + 1)
  })
  return new Archives(openArchiver(options, location, 0), copies, options.diskFull)
}

function openArchiver(options: OpenArchiverOptions, location: string, place: number): Archiver {
  const { config, host, ports = SYSTEM_PORTS, alarms, log, writer } = options
  const name = place === 0 ? 'archive' : `archive-copy-${place}`
  const { clock, entropy } = host
  return new Archiver({
    ...options,
    config: config.archive,
    cluster: config.cluster,
    location,
    open: (create) => ports.open(location, { create }),
    drill: ports.drill,
    baseAfter: ports.baseAfter,
    alarm: (code, detail) => alarms.set(code, detail, location),
    scratch: join(config.data, name),
    clock,
    entropy,
    onRepaired: () => writer.nudge(),
    recordedChains: () => {
      const stored = writer.state.archiveChains
      const elsewhere = [...stored].filter(([other]) => other !== place).map(([, chain]) => chain)
      return { here: stored.get(place), elsewhere }
    },
    onDrilled: (outcome) =>
      void writer
        .submit(noteOf(outcome, location))
        .catch(() => log.warn('the result of a restore drill could not be written to the audit')),
  })
}

function noteOf(outcome: Parameters<ArchiverOptions['onDrilled']>[0], location: string): Note {
  const failed = outcome instanceof MacaroondError
  const { detail } = failed
    ? { detail: { ok: false, location, code: outcome.code, message: outcome.message } }
    : { detail: { ok: true, location, txid: outcome.txid, bytes: outcome.bytes, keyUnsealed: outcome.keyUnsealed } }
  return { kind: 'audit.note', actor: ACTOR, action: 'archive.drill', detail }
}

/** Returns a function that ends the schedules. */
export function scheduleArchiving(
  archives: Archives,
  { config, host, writer, source, log }: Pick<OpenArchiverOptions, 'config' | 'host' | 'writer' | 'source' | 'log'>,
): () => void {
  const { schedule, jitter_seconds: jitterSeconds } = config.archive
  let lastHead = source.head.txid
  // On a quiet day a heartbeat writes a transaction of its own. If that write is refused, it proves the newest existing one.
  const beat = async (): Promise<void> => {
    if (source.head.txid === lastHead) {
      const written = writer.submit({ kind: 'audit.note', actor: ACTOR, action: 'archive.heartbeat', detail: {} })
      await written.catch((error: unknown) =>
        log.warn({ error: reportOf(error) }, 'the transaction of an archive heartbeat could not be written'),
      )
    }
    lastHead = source.head.txid
  }
  const jobs = Object.entries(JOB_SCHEDULES).map(([job, key]) => {
    const run = async (): Promise<void> => {
      if (job === 'heartbeat') await beat()
      archives.due(job as JobName)
    }
    return { name: `archive ${job}`, at: schedule[key], run, jitterMs: jitterSeconds * 1_000 }
  })
  const cancels = jobs.map((job) => host.schedule(job, log))
  return () => {
    for (const cancel of cancels) cancel()
  }
}
