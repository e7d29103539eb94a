/** What a replica is started with. */
import type { Identity } from '../shared/channel/identity.ts'
import type { Log } from '../shared/log.ts'
import type { ProcessOutput } from '../shared/output/process-output.ts'
import type { Kek } from '../shared/sealing.ts'
import type { Host } from '../shared/service/host.ts'
import type { ReplicaConfig } from './config.ts'

export interface ReplicaOptions {
  readonly config: ReplicaConfig
  readonly identity: Identity
  readonly kek: Kek
  /** Open what was sealed before the last rotation. */
  readonly previousKeks?: readonly Kek[]
  readonly log: Log
  /** Where the lines of this process go; a node that shares its process has none of its own. */
  readonly output?: ProcessOutput
  /** The operator's word, for this start, that the clock is right. */
  readonly acceptClock?: boolean
  readonly host?: Host
  /** Reads the configuration again, for SIGHUP. */
  readonly reread: () => ReplicaConfig
}
