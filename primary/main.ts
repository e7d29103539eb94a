/** Entry of a primary: reads its configuration and keys, starts it, and runs it until a signal or a failure. */
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
import { primaryConfig, type PrimaryConfig } from './config.ts'
import { primaryMetrics } from './metrics.ts'
import { Primary } from './node.ts'
import type { PrimaryFlags } from './options.ts'

/** Paths in the result are absolute. Throws config_invalid, config_unreadable. */
export function readPrimaryConfig(file: string): PrimaryConfig {
  return withAbsolutePaths(file, readConfig(file, primaryConfig))
}

/** Resolves with the exit status. */
export async function runPrimary(file: string, flags: PrimaryFlags, ready: (line: ReadyLine) => void): Promise<number> {
  const hangups = new Hangups()
  const config = readPrimaryConfig(file)
  const output = processOutput()
  const log = createLog('primary', config.log.level, output.stderr)
  logWhatNodePrints(log)
  const secrets = await checkAndLoadSecrets({ file, config }, log)
  const start = async (): Promise<Service> => {
    // Any SQLite error of the start gets a code and a hint here.
    const primary = await Primary.start({
      config,
      ...secrets,
      log,
      output,
      flags,
      reread: () => readPrimaryConfig(file),
    }).catch((error: unknown) => {
      throw sqliteError(error, `starting on ${config.data}`)
    })
    const collect = (): readonly Metric[] => primaryMetrics(primary.status)
    const served = await withMetrics(primary, { address: config.metrics.listen, collect, log })
    log.info({ address: primary.address, peerId: secrets.identity.peerId, writes: primary.writes }, 'primary is ready')
    ready({ ready: true, role: 'primary', pid: process.pid, address: primary.address, peerId: secrets.identity.peerId })
    return served
  }
  return runService(start, log, hangups)
}
