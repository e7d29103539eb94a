/** The three kinds of configuration files, how to recognise the kind of a file, and how to read it. */
import { z } from 'zod'
import type { PrimaryConfig } from '../../primary/config.ts'
import type { ReplicaConfig } from '../../replica/config.ts'
import { readProfile, type Profile } from '../../shared/config/profile.ts'
import { readConfig } from '../../shared/config/read-config.ts'
import { MacaroondError } from '../../shared/errors.ts'

export type ConfigKind = 'primary' | 'replica' | 'profile'
export type AnyConfig = PrimaryConfig | ReplicaConfig | Profile

export const configKinds: readonly ConfigKind[] = ['primary', 'replica', 'profile']

/** Keys that only one kind has. The first key that a file contains decides its kind. */
const DECIDING_KEYS: readonly (readonly [key: string, ConfigKind])[] = [
  ['region', 'replica'],
  ['verify_open', 'replica'],
  ['segments', 'primary'],
  ['alone', 'primary'],
  ['replicas', 'profile'],
]
/** Keys that both kinds of nodes have and a profile has not. */
const NODE_KEYS: readonly string[] = ['data', 'listen', 'kek']

/**
 * The kind of a file, by the names of its keys alone: a file with a wrong value is still checked as the kind it was meant to
 * be. Throws usage if the keys fit several kinds.
 */
export function kindOfFile(file: string): ConfigKind {
  const keys = Object.keys(readConfig(file, z.record(z.string(), z.unknown())))
  const deciding = DECIDING_KEYS.find(([key]) => keys.includes(key))
  if (deciding !== undefined) return deciding[1]
  const isNode = NODE_KEYS.some((key) => keys.includes(key))
  // A replica and a profile name the primary that they dial; a primary does not.
  const dials = keys.includes('primary')
  if (isNode) return dials ? 'replica' : 'primary'
  if (dials) return 'profile'
  throw new MacaroondError('usage', `${file} could be of any kind`, { hint: 'say which with --kind' })
}

/** Throws config_invalid, config_unreadable. Paths in the result are absolute. */
export async function readAs(kind: ConfigKind, file: string): Promise<AnyConfig> {
  switch (kind) {
    case 'primary':
      return (await import('../../primary/main.ts')).readPrimaryConfig(file)
    case 'replica':
      return (await import('../../replica/main.ts')).readReplicaConfig(file)
    case 'profile':
      return readProfile(file)
  }
}
