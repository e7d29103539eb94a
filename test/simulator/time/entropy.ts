/** Seeded entropy: the random bytes of a node are the same in every run of one seed. */
import { createHash } from 'node:crypto'
import type { Entropy } from '../../../shared/clock.ts'
import { Random } from '../../chaos/random.ts'

/** A generator of its own for every purpose: what one draws more or less changes nothing for the others. */
export function randomFor(seed: number, purpose: string): Random {
  return new Random(createHash('sha256').update(`${seed} ${purpose}`).digest().readUInt32BE(0))
}

export function seededEntropy(random: Random): Entropy {
  return {
    bytes: (count) => Buffer.from(Uint8Array.from({ length: count }, () => random.below(256))),
    uniform: () => random.fraction(),
  }
}
