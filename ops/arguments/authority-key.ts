/**
 * The authority's public key, with which an archive is checked. It comes from the operator and never from the archive: whoever
 * forged an archive would put a forged key beside it.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { readTrusted } from '../../shared/files/trusted-file.ts'
import { causeAbout, shown } from '../../shared/shown.ts'

/** Far more than a key needs: a wrong file is refused without being read whole. */
const FILE_BYTES_MAX = 4096

/** `--key`: 64 hex digits, or a file that holds them. Throws key_unreadable, key_malformed, file_untrusted. */
export function parseAuthorityKey(text: string): Uint8Array {
  const inline = hexKey(text)
  if (inline !== undefined) return inline
  let content: string
  try {
    content = readTrusted(text, FILE_BYTES_MAX).bytes.toString('utf8')
  } catch (cause) {
    if (cause instanceof MacaroondError) throw cause
    throw new MacaroondError('key_unreadable', `cannot read the authority's key from ${shown(text).slice(0, 200)}`, {
      hint: '--key takes 64 hex digits, or a file with them',
      ...causeAbout(text, cause),
    })
  }
  const key = hexKey(content.trim())
  if (key !== undefined) return key
  throw new MacaroondError('key_malformed', `${shown(text)} does not hold an authority's public key`, {
    hint: 'it is 64 hex digits, as `macaroond archive key` prints it',
  })
}

/** A key from 64 hex digits; undefined for any other text. */
export function hexKey(text: string): Uint8Array | undefined {
  return /^[0-9a-f]{64}$/.test(text) ? Buffer.from(text, 'hex') : undefined
}

/** The error for a command that must check an archive and got no key from an option or the profile. */
export function noAuthorityKey(): MacaroondError {
  return new MacaroondError('usage', 'an archive is checked with the public key of its authority, and none was given', {
    hint: 'give --key, or put `authority_key` into the profile; `macaroond archive key` prints it. It never comes from the archive',
  })
}
