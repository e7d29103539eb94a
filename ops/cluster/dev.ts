/** Runs the cluster of `macaroond dev`: makes or opens its folder, starts the nodes, and stops them when this process ends. */
import { resolve } from 'node:path'
import { systemEntropy } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { lockFolder } from '../../shared/sqlite/node-lock.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import type { Terminal } from '../terminal.ts'
import { Cluster } from './cluster.ts'
import { createCluster, prepareFolder } from './create.ts'
import { type ClusterFolder, holdsCluster, openClusterFolder } from './folder.ts'
import { keepRunning, onInterruption } from './keep-running.ts'
import { useLenientChecks } from './lenient.ts'
import { unpublish } from './published.ts'

/** The options of `macaroond dev`. */
export interface DevOptions {
  readonly dir: string | undefined
  /** The regions of a new cluster. A cluster that exists must have exactly these. */
  readonly regions: readonly string[] | undefined
}

const REGIONS: readonly string[] = ['fra', 'sin']

/** Resolves after a signal, when every node has ended. */
export async function runDev({ dir, regions }: DevOptions, terminal: Terminal): Promise<void> {
  const path = dir === undefined ? temporaryFolder('dev') : resolve(dir)
  prepareFolder(path)
  useLenientChecks(path, terminal)
  // Two `dev` processes on one folder would start every node twice.
  const lock = lockFolder(path)
  const interruption = onInterruption()
  try {
    // A `dev` that was killed could not remove its cluster.json.
    unpublish(path)
    const cluster = new Cluster(await makeOrOpen(path, regions), (node, how) => {
      terminal.say(`${node.name} ended (${how}); its log is ${node.log}`)
    })
    await startAndKeepRunning(cluster, terminal, interruption)
  } finally {
    interruption.release()
    lock.release()
  }
}

async function makeOrOpen(path: string, regions: readonly string[] | undefined): Promise<ClusterFolder> {
  if (!holdsCluster(path)) {
    await createCluster({ path, cluster: 'dev', regions: regions ?? REGIONS, entropy: systemEntropy })
    return openClusterFolder(path)
  }
  const folder = await openClusterFolder(path)
  const there = folder.replicas.map(({ region }) => region ?? '')
  if (regions === undefined || there.join() === regions.toSorted().join()) return folder
  throw new MacaroondError('usage', `the cluster in ${path} has the regions ${there.join(', ')}`, {
    hint: 'leave --regions out, or give another folder',
  })
}

async function startAndKeepRunning(
  cluster: Cluster,
  terminal: Terminal,
  interruption: ReturnType<typeof onInterruption>,
): Promise<void> {
  try {
    terminal.say(`starting ${cluster.nodes.map(({ name }) => name).join(', ')} in ${cluster.folder.path}`)
    const started = cluster.start().then(() => 'up' as const)
    if ((await Promise.race([started, interruption.happened])) === 'up')
      await keepRunning(cluster, terminal, interruption)
    // The stop below makes an interrupted start fail. Nobody awaits that promise, so its error is dropped here.
    else started.catch(() => undefined)
  } finally {
    await cluster.stop()
  }
}
