/** Node's URL and decodeURIComponent, as servers put them together. */
import { posix } from 'node:path'
import type { Decoder } from './decoder.ts'

export const nodeDecoders: Decoder = async (paths) => paths.map(placesOf)

function placesOf(path: string): readonly string[] {
  const text = Buffer.from(path, 'latin1').toString('utf8')
  const readings = [() => new URL(`http://host${text}`).pathname, () => posix.normalize(decodeURIComponent(text))]
  return readings.flatMap((read) => {
    try {
      return [Buffer.from(read(), 'utf8').toString('latin1')]
    } catch {
      return []
    }
  })
}
