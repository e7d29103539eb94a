/** A small volume that another program has filled. */
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { codeOf } from '../../integration/cluster/harness.ts'

/** Takes all that is left; returns the function that gives it back. */
export function fillVolume(folder: string): () => void {
  const ballast = join(folder, 'ballast')
  const { bavail, bsize } = statfsSync(folder)
  writeFileSync(ballast, Buffer.alloc(bavail * bsize, 1))
  return () => rmSync(ballast)
}

/** Mints until the disk refuses one. */
export async function mintUntilFull(signer: Signer): Promise<void> {
  for (let code = ''; code !== 'disk_full';) code = await codeOf(signer.mint({ org: 'acme', subject: 'x' }))
}
