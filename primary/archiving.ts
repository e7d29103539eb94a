/** Starts and stops a primary's archives and their schedules. Does nothing if the configuration has no archive. */
import type { Txid } from '../shared/ids.ts'
import type { Archives } from './archiver/archives.ts'
import { isWitness, type OpenArchiverOptions, openArchives, scheduleArchiving } from './archiver/open-archiver.ts'
import type { PrimaryFoundation } from './foundation.ts'
import { ARCHIVE_WITNESS } from './members.ts'
import { NO_FLAGS } from './options.ts'
import type { Joined } from './commit-log/agreement.ts'

export class Archiving {
  readonly archives: Archives | undefined
  readonly #options: OpenArchiverOptions
  #cancelSchedules: () => void = () => undefined

  constructor(options: OpenArchiverOptions) {
    this.#options = options
    this.archives = openArchives(options)
  }

  /**
   * Call it before the first connection: the archive may show that another primary leads, and then no replica may hear from
   * this one.
   */
  async start(): Promise<void> {
    if (this.archives === undefined) return
    await this.archives.start()
    this.#cancelSchedules = scheduleArchiving(this.archives, this.#options)
  }

  async stop(): Promise<void> {
    this.#cancelSchedules()
    await this.archives?.stop()
  }
}

/** `onJoined` is called with the archive's position if the archive is a witness. */
export function openArchiving(base: PrimaryFoundation, onJoined: (event: Joined) => void): Archiving {
  const { options, host, stampClock, alarms, commitLog, writer, signingKey, ring, shutdown } = base
  const { config, log, archivePorts: ports } = options
  const onClaimed = (archived: Txid): void => {
    if (isWitness(config.archive)) onJoined({ witness: ARCHIVE_WITNESS, atHead: archived === commitLog.head.txid })
  }
  const { newArchive } = options.flags ?? NO_FLAGS
  const archiving = new Archiving({
    config,
    host: { clock: stampClock, entropy: host.entropy, schedule: host.schedule },
    ports,
    alarms,
    source: commitLog,
    signingKey,
    ring,
    log,
    diskFull: () => commitLog.room.full,
    onDiskFull: () => commitLog.room.noteIfFull(),
    onClaimed,
    onFatal: shutdown.crash,
    writer,
    newArchive,
  })
  writer.addDueSource(({ archiveChains }) => archiving.archives?.unrecordedChain(archiveChains))
  return archiving
}
