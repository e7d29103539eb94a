/** The keys that a configuration names: there, well-formed, and nobody else's to read. */
import { loadKek } from '../../shared/config/kek.ts'
import type { AnyConfig } from './kinds.ts'

/**
 * Throws key_unreadable, key_permissions, key_malformed, kek_missing. A key-encryption key from a command or from the
 * environment is not looked at: the node may have another environment, and commands are not run for a check.
 */
export async function checkSecrets(file: string, config: AnyConfig): Promise<void> {
  const { loadIdentity } = await import('../../shared/channel/identity.ts')
  await loadIdentity(config.identity)
  if (!('kek' in config)) return
  const { previous = [], ...source } = config.kek
  for (const one of [source, ...previous]) if ('file' in one) loadKek(one, file, {})
}
