/** The options with which a replica is started. */
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
  /** Earlier KEKs. They open keys that were sealed before the last rotation. */
  readonly previousKeks?: readonly Kek[]
  readonly log: Log
  /** The output of this process, whose dropped lines are an alarm; undefined for a node that shares its process. */
  readonly output?: ProcessOutput
  /** True if the operator confirms for this start that the clock is right. */
  readonly acceptClock?: boolean
  readonly host?: Host
  /** Reads the configuration again, for SIGHUP. */
  readonly reread: () => ReplicaConfig
}
