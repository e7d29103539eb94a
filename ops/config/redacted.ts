/**
 * A configuration without its secrets, for `config print`. Keys are in files of their own; only the arguments of a KEK command
 * may hold a password, so they are replaced. So is a key that stands where its path or the name of its variable belongs.
 */
import type { KekSettings, KekSource } from '../../shared/config/node-config.ts'
import { fromConfigFolder } from '../../shared/config/read-config.ts'
import { shown } from '../../shared/shown.ts'
import type { AnyConfig } from './kinds.ts'

/** `file` is the file that `config` was read from. Relative paths in it are relative to that file's folder. */
export function redacted(file: string, config: AnyConfig): Record<string, unknown> {
  const safe = {
    ...config,
    ...(typeof config.identity === 'string' ? { identity: shown(config.identity) } : {}),
    ...('signing_key' in config && config.signing_key !== undefined ? { signing_key: shown(config.signing_key) } : {}),
    ...('kek' in config ? { kek: shownSettings(file, config.kek) } : {}),
  }
  // TOML cannot express an undefined value; a round trip through JSON drops it.
  return JSON.parse(JSON.stringify(safe)) as Record<string, unknown>
}

function shownSettings(file: string, { previous, ...kek }: KekSettings): KekSettings {
  return { ...shownSource(file, kek), previous: previous?.map((one) => shownSource(file, one)) }
}

function shownSource(file: string, kek: KekSource): KekSource {
  if ('env' in kek) return { env: shown(kek.env) }
  if ('file' in kek) return { file: shown(fromConfigFolder(file, kek.file)) }
  const [program = '', ...args] = kek.command
  return { command: [shown(program), ...args.map(() => '[redacted]')] }
}
