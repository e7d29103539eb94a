/**
 * Everything that a node gets from its machine, as one parameter. If a whole cluster runs in one process, as in the simulator,
 * each node has its own.
 */
import { tcp } from '../channel/tcp.ts'
import type { Transport } from '../channel/transport.ts'
import { systemClock, systemEntropy, type Entropy, type NodeClock } from '../clock.ts'
import { scheduleJob, type Schedule } from './schedule.ts'

export interface Host {
  readonly clock: NodeClock
  readonly entropy: Entropy
  readonly transport: Transport
  readonly schedule: Schedule
}

export const systemHost: Host = {
  clock: systemClock,
  entropy: systemEntropy,
  transport: tcp,
  schedule: scheduleJob,
}
