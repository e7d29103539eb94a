/** A configuration as it may be shown: keys are in files of their own, but a command's arguments may hold a password. */
import type { KekSettings, KekSource } from '../../shared/config/node-config.ts'
import { fromConfigFolder } from '../../shared/config/read-config.ts'
import type { AnyConfig } from './kinds.ts'

/** `file` is where it was read from, for the paths in it. */
export function redacted(file: string, config: AnyConfig): Record<string, unknown> {
  const shown = 'kek' in config ? { ...config, kek: shownSettings(file, config.kek) } : config
  // TOML has no word for a value that is absent; JSON leaves it out.
  return JSON.parse(JSON.stringify(shown)) as Record<string, unknown>
}

function shownSettings(file: string, { previous, ...kek }: KekSettings): KekSettings {
  return { ...shownSource(file, kek), previous: previous?.map((one) => shownSource(file, one)) }
}

function shownSource(file: string, kek: KekSource): KekSource {
  if ('env' in kek) return kek
  if ('file' in kek) return { file: fromConfigFolder(file, kek.file) }
  const [program = '', ...args] = kek.command
  return { command: [program, ...args.map(() => '[redacted]')] }
}
