/** Loads the key-encryption key (KEK) from a file, an environment variable or a command's output, never from argv. */
import { systemClock } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { isPrivate, privacyHint } from '../files/trust.ts'
import { requireTrusted, thisUser } from '../files/trusted-file.ts'
import type { Kek } from '../sealing.ts'
import { kekFromHex } from '../sealing.ts'
import { outputOf } from './command-output.ts'
import type { KekSettings, KekSource } from './node-config.ts'
import { fromConfigFolder } from './read-config.ts'
import { causeAbout, isShown, shown } from '../shown.ts'
import { readSmallFile, type SmallFile } from '../files/small-file.ts'

const COMMAND_TIMEOUT_MS = 10_000
/** Room for 64 hex digits and some white space. */
const KEK_BYTES_MAX = 4096

/** A source that needs no program to run. */
export type KekSourceWithoutCommand = Exclude<KekSource, { readonly command: readonly string[] }>

export interface KekRing {
  /** The KEK that seals. */
  readonly kek: Kek
  /** KEKs that open secrets sealed before a rotation. */
  readonly previousKeks: readonly Kek[]
}

/** Loads all KEKs, one after the other, because a program may ask for a password. Throws as `loadKek` does. */
export async function loadKeks(
  { previous = [], ...source }: KekSettings,
  configFile: string,
  env: NodeJS.ProcessEnv,
): Promise<KekRing> {
  const load = async (one: KekSource): Promise<Kek> =>
    'command' in one ? kekOfCommand(one.command) : loadKek(one, configFile, env)
  const kek = await load(source)
  const previousKeks: Kek[] = []
  for (const one of previous) previousKeks.push(await load(one))
  return { kek, previousKeks }
}

/**
 * Throws kek_missing (no such source), key_permissions (others may read the file), file_untrusted, key_malformed (not 64 hex
 * digits).
 */
export function loadKek(source: KekSourceWithoutCommand, configFile: string, env: NodeJS.ProcessEnv): Kek {
  if ('env' in source) return parseKek(readVariable(source.env, env), `environment variable ${shown(source.env)}`)
  const file = fromConfigFolder(configFile, source.file)
  return parseKek(readPrivateFile(file), shown(file))
}

/** The error has neither the output nor a cause, because both may contain the key. */
async function kekOfCommand(command: readonly string[]): Promise<Kek> {
  const [program = ''] = command
  const output = await outputOf(command, {
    bytesMax: KEK_BYTES_MAX,
    timeoutMs: COMMAND_TIMEOUT_MS,
    timers: systemClock,
  })
  if (output !== undefined) return parseKek(output, `output of ${shown(program)}`)
  throw new MacaroondError('kek_missing', `the command for the key-encryption key failed: ${shown(program)}`, {
    hint: `run it by hand as the user macaroond runs as: it has ${COMMAND_TIMEOUT_MS / 1000} s, no terminal and no input, and its stderr is not shown`,
  })
}

function readVariable(name: string, env: NodeJS.ProcessEnv): string {
  const value = env[name]
  if (value !== undefined) return value
  throw new MacaroondError(
    'kek_missing',
    `environment variable ${shown(name)} with the key-encryption key is not set`,
    {
      hint: isShown(name)
        ? 'set it to 64 hex digits, or name another source under [kek]'
        : '`env` under [kek] takes the name of a variable, not the key in it',
    },
  )
}

function readPrivateFile(file: string): string {
  const found = readKekFile(file)
  if (!isPrivate(found, thisUser())) {
    throw new MacaroondError('key_permissions', `${shown(file)} can be read by others`, {
      hint: privacyHint(shown(file)),
    })
  }
  requireTrusted(file)
  return found.bytes.toString('utf8')
}

function readKekFile(file: string): SmallFile {
  try {
    return readSmallFile(file, KEK_BYTES_MAX)
  } catch (error) {
    throw new MacaroondError('kek_missing', `cannot read the key-encryption key ${shown(file)}`, {
      hint: isShown(file)
        ? 'the same key must be on the primary and on every replica; without it nothing that is sealed can be opened'
        : '`file` under [kek] takes the path of a file, not the key in it',
      ...causeAbout(file, error),
    })
  }
}

function parseKek(text: string, where: string): Kek {
  const hex = text.trim()
  if (/^[0-9a-fA-F]{64}$/.test(hex)) return kekFromHex(hex)
  throw new MacaroondError('key_malformed', `${where} is not a key-encryption key`, {
    hint: 'it is 32 random bytes as 64 hex digits, for example from `openssl rand -hex 32`',
  })
}
