/** The order for a restore drill, and the function that runs it, in any thread. */
import { drill, type Drilled, type DrillOptions } from '../../shared/archive/drill.ts'
import { readManifest } from '../../shared/archive/manifest-store.ts'
import type { openArchive } from '../../shared/archive/open-archive.ts'

export interface DrillOrder extends Pick<DrillOptions, 'cluster' | 'ring' | 'draw' | 'path' | 'nowMs'> {
  readonly location: string
  /** The drill reads and verifies the manifest itself with this key, as an operator's restore would. */
  readonly publicKey: Uint8Array
  /** Number of the newest entry that the primary knows. */
  readonly entry: number
}

/** Rejects with the fault that the drill found, or once `signal` aborts. */
export type DrillRunner = (order: DrillOrder, signal: AbortSignal) => Promise<Drilled>

export async function runDrill(order: DrillOrder, open: typeof openArchive): Promise<Drilled> {
  const storage = await open(order.location, { blocking: true })
  const { files } = await readManifest(storage, order.publicKey, order.entry)
  return drill({ ...order, storage, files: [...files.values()] })
}
