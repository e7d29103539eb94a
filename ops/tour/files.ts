/**
 * The last step of the tour: it stops all nodes and compares their database files byte by byte. A running node keeps its newest
 * pages in the WAL, so the files are equal only after an orderly stop.
 */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, statSync } from 'node:fs'
import { askStatus } from '../clients.ts'
import type { TourCluster } from './stage.ts'
import { requireThat, type TourStep } from './step.ts'

export const filesIdentical: TourStep = {
  title: 'database files byte-identical',
  run: async (stage) => {
    await stage.cluster.untilServing()
    const position = await commonPosition(stage)
    // SQLite copies the rest of the WAL into the database when its last connection closes.
    await stage.close()
    await stage.cluster.stop()
    const { nodes } = stage.cluster
    for (const { name, database } of nodes) requireThat(!hasFrames(`${database}-wal`), `${name} left frames in its WAL`)
    const [first = '', ...others] = await Promise.all(nodes.map(({ database }) => sha256(database)))
    for (const [index, hash] of others.entries())
      requireThat(hash === first, `${nodes[index + 1]?.name} differs from the primary`)
    const bytes = statSync(stage.cluster.folder.primary.database).size
    return { detail: `${nodes.length} files of ${bytes} bytes at ${position}, sha256 ${first.slice(0, 16)}…` }
  },
}

/** The position that every node reports. Throws tour_failed if they differ. */
async function commonPosition({ cluster }: TourCluster): Promise<string> {
  const { profile } = cluster.folder
  const statuses = await Promise.all([profile.primary, ...profile.replicas].map((node) => askStatus(profile, node)))
  const positions = new Set(statuses.map((status) => status.position ?? 'none'))
  requireThat(positions.size === 1, `the nodes are at different positions: ${[...positions].join(', ')}`)
  return [...positions].join()
}

function hasFrames(path: string): boolean {
  return existsSync(path) && statSync(path).size > 0
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
