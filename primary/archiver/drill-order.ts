/** What is asked of a restore drill, and the drill itself, in whatever thread it is called. */
import { drill, type Drilled, type DrillOptions } from '../../shared/archive/drill.ts'
import { readManifest } from '../../shared/archive/manifest-store.ts'
import type { openArchive } from '../../shared/archive/open-archive.ts'

export interface DrillOrder extends Pick<DrillOptions, 'cluster' | 'ring' | 'draw' | 'path' | 'nowMs'> {
  readonly location: string
  /** The manifest is read and checked anew, as an operator would. */
  readonly publicKey: Uint8Array
  /** Number of the newest entry that the primary knows of. */
  readonly entry: number
}

/** Rejects with what the drill found wrong, or when `signal` ends it. */
export type DrillRunner = (order: DrillOrder, signal: AbortSignal) => Promise<Drilled>

export async function runDrill(order: DrillOrder, open: typeof openArchive): Promise<Drilled> {
  const storage = await open(order.location, { blocking: true })
  const { files } = await readManifest(storage, order.publicKey, order.entry)
  return drill({ ...order, storage, files: [...files.values()] })
}
