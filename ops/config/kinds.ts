/** The three kinds of configuration files, how to recognise the kind of a file, and how to read it. */
import type { z } from 'zod'
import type { PrimaryConfig } from '../../primary/config.ts'
import type { ReplicaConfig } from '../../replica/config.ts'
import type { CheckedConfig } from '../../shared/config/finding.ts'
import { profileSchema, readProfile, type Profile } from '../../shared/config/profile.ts'
import { examineConfig, readTable, withAbsolutePaths } from '../../shared/config/read-config.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { suggest } from '../../shared/suggest.ts'

export type ConfigKind = 'primary' | 'replica' | 'profile'
export type AnyConfig = PrimaryConfig | ReplicaConfig | Profile

const configKinds: readonly ConfigKind[] = ['primary', 'replica', 'profile']

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
  const keys = Object.keys(readTable(file))
  const deciding = DECIDING_KEYS.find(([key]) => keys.includes(key))
  if (deciding !== undefined) return deciding[1]
  const isNode = NODE_KEYS.some((key) => keys.includes(key))
  // A replica and a profile name the primary that they dial; a primary does not.
  const dials = keys.includes('primary')
  if (isNode) return dials ? 'replica' : 'primary'
  if (dials) return 'profile'
  throw new MacaroondError('usage', `${file} could be of any kind`, { hint: 'say which with --kind' })
}

/** The option with which a command takes the kind of a file. */
export const kindOption: readonly [flags: string, description: string] = [
  '--kind <kind>',
  'primary, replica or profile (default: recognised by the keys in the file)',
]

/** The kind from `--kind`, else from the file. Throws usage. */
export function kindOf(file: string, kind: string | undefined): ConfigKind {
  if (kind === undefined) return kindOfFile(file)
  const known = configKinds.find((candidate) => candidate === kind)
  if (known !== undefined) return known
  const near = suggest(kind, configKinds)
  throw new MacaroondError('usage', `--kind is one of ${configKinds.join(', ')}, not ${kind.slice(0, 80)}`, {
    hint:
      near === undefined
        ? 'leave it out: macaroond recognises the kind by the keys in the file'
        : `did you mean ${near}?`,
  })
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

/** A file as far as it is valid, with absolute paths, and all of its faults. */
export interface ExaminedFile {
  readonly config: CheckedConfig & Partial<PrimaryConfig & ReplicaConfig & Profile>
  readonly faults: readonly MacaroondError[]
}

/** Reads a file for a check. Throws config_unreadable, and config_invalid for a text that is not TOML. */
export async function examineAs(kind: ConfigKind, file: string): Promise<ExaminedFile> {
  const { config, faults } = examineConfig(file, await schemaOf(kind))
  // Each value has passed its part of the schema.
  return { config: withAbsolutePaths(file, config as ExaminedFile['config']), faults }
}

async function schemaOf(kind: ConfigKind): Promise<z.ZodType> {
  switch (kind) {
    case 'primary':
      return (await import('../../primary/config.ts')).primaryConfig
    case 'replica':
      return (await import('../../replica/config.ts')).replicaConfig
    case 'profile':
      return profileSchema
  }
}
