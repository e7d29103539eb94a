/** The entry of a replica: it reads configuration and keys, starts the node, and runs it until a signal or a failure. */
import { checkAndLoadSecrets } from '../shared/config/checks.ts'
import { readConfig, withAbsolutePaths } from '../shared/config/read-config.ts'
import { createLog } from '../shared/log.ts'
import type { Metric } from '../shared/metrics/metric.ts'
import { withMetrics } from '../shared/metrics/with-metrics.ts'
import { logWhatNodePrints, processOutput } from '../shared/output/process-output.ts'
import type { ReadyLine } from '../shared/service/ready-line.ts'
import { sqliteError } from '../shared/files/storage-errors.ts'
import { Hangups } from '../shared/service/hangups.ts'
import { runService, type Service } from '../shared/service/run-service.ts'
import { replicaConfig, type ReplicaConfig } from './config.ts'
import { replicaMetrics } from './metrics.ts'
import { Replica } from './node.ts'

/** Reads the configuration, with absolute paths. Throws config_invalid, config_unreadable. */
export function readReplicaConfig(file: string): ReplicaConfig {
  return withAbsolutePaths(file, readConfig(file, replicaConfig))
}

/** Runs a replica. `ready` is called when it listens. Resolves with the exit status. */
export async function runReplica(
  file: string,
  { acceptClock }: { readonly acceptClock: boolean },
  ready: (line: ReadyLine) => void,
): Promise<number> {
  const hangups = new Hangups()
  const config = readReplicaConfig(file)
  const output = processOutput()
  const log = createLog(`replica ${config.region}`, config.log.level, output.stderr)
  logWhatNodePrints(log)
  const secrets = await checkAndLoadSecrets({ file, config }, log)
  const start = async (): Promise<Service> => {
    const replica = await Replica.start({
      config,
      ...secrets,
      log,
      output,
      acceptClock,
      reread: () => readReplicaConfig(file),
    }).catch((error: unknown) => {
      throw sqliteError(error, `starting on ${config.data}`)
    })
    const collect = (): readonly Metric[] => replicaMetrics(replica.status)
    const served = await withMetrics(replica, { address: config.metrics.listen, collect, log })
    log.info({ address: replica.address, peerId: secrets.identity.peerId, region: config.region }, 'replica is ready')
    ready({ ready: true, role: 'replica', pid: process.pid, address: replica.address, peerId: secrets.identity.peerId })
    return served
  }
  return runService(start, log, hangups)
}
