/** The options that a primary is started with. */
import type { Identity } from '../shared/channel/identity.ts'
import type { Host } from '../shared/service/host.ts'
import type { Log } from '../shared/log.ts'
import type { ProcessOutput } from '../shared/output/process-output.ts'
import type { Kek } from '../shared/sealing.ts'
import type { ArchivePorts } from './archiver/open-archiver.ts'
import type { PrimaryConfig } from './config.ts'

/** Facts that the operator states because a primary cannot know them. Each applies to one start. */
export interface PrimaryFlags {
  /** True: the clock is right, however far it is from the persisted time. */
  readonly acceptClock: boolean
  /** True: no primary of an earlier epoch of this cluster runs any more. */
  readonly oldPrimaryStopped: boolean
  /** True: abandon the archive that the database names, and begin a new one. */
  readonly newArchive: boolean
}

export const NO_FLAGS: PrimaryFlags = { acceptClock: false, oldPrimaryStopped: false, newArchive: false }

export interface PrimaryOptions {
  readonly config: PrimaryConfig
  readonly identity: Identity
  /** The key that a rotation seals with. */
  readonly kek: Kek
  /** Keys that open the secrets that a rotation has not resealed yet. */
  readonly previousKeks?: readonly Kek[]
  readonly log: Log
  /** Output of this process. Undefined for a node that shares its process with other nodes. */
  readonly output?: ProcessOutput
  readonly flags?: PrimaryFlags
  readonly host?: Host
  /** Default: the system's. */
  readonly archivePorts?: ArchivePorts
  /** Reads the configuration again, for SIGHUP. */
  readonly reread: () => PrimaryConfig
}
