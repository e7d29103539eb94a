/** What a primary is started with. */
import type { Identity } from '../shared/channel/identity.ts'
import type { Host } from '../shared/service/host.ts'
import type { Log } from '../shared/log.ts'
import type { ProcessOutput } from '../shared/output/process-output.ts'
import type { Kek } from '../shared/sealing.ts'
import type { ArchivePorts } from './archiver/open-archiver.ts'
import type { PrimaryConfig } from './config.ts'

/** The operator's word for what a primary cannot know by itself; said at a start, good for that start. */
export interface PrimaryFlags {
  /** The clock is right, however far it is from what was written down. */
  readonly acceptClock: boolean
  /** No primary of an earlier epoch of this cluster runs any more. */
  readonly oldPrimaryStopped: boolean
  /** The archive that the database remembers is given up. */
  readonly newArchive: boolean
}

export const NO_FLAGS: PrimaryFlags = { acceptClock: false, oldPrimaryStopped: false, newArchive: false }

export interface PrimaryOptions {
  readonly config: PrimaryConfig
  readonly identity: Identity
  /** Seals. */
  readonly kek: Kek
  /** Open what was sealed before the last rotation. */
  readonly previousKeks?: readonly Kek[]
  readonly log: Log
  /** Where the lines of this process go; a node that shares its process has none of its own. */
  readonly output?: ProcessOutput
  readonly flags?: PrimaryFlags
  readonly host?: Host
  /** The system's where it is left out. */
  readonly archivePorts?: ArchivePorts
  /** Reads the configuration again, for SIGHUP. */
  readonly reread: () => PrimaryConfig
}
