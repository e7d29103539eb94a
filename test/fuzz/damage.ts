/** What a disk, or a crash, does to a file: it ends early, and bytes of it are others, or zero. Nothing is moved or doubled. */
import type { Random } from './random.ts'

const PLACES_MAX = 3
const RUN_BYTES_MAX = 600

export function damaged(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes)
  for (let places = random.below(PLACES_MAX); places > 0; places -= 1) {
    const at = random.below(copy.length)
    const end = Math.min(copy.length, at + (random.below(2) === 0 ? 1 : random.below(RUN_BYTES_MAX)))
    if (random.below(2) === 0) copy.fill(0, at, end)
    else copy.set(random.bytes(end - at), at)
  }
  return random.below(3) === 0 ? copy : copy.subarray(0, random.below(copy.length + 1))
}
