/**
 * Shows a configured path or name in a message. Somebody may write the content of a key where its path or the name of a
 * variable belongs, and messages end up in logs. So a part that looks like key material is replaced. A replaced path is a
 * nuisance, a shown key is lost: in doubt a part is hidden.
 */

const HIDDEN = '(not shown: it looks like a key)'

/** The content of our own files and a token, wherever it begins in a part. */
const OURS = /^["'\s]*(?:macaroond-identity-|macaroond-signing-key-\d|mcn1_|-----BEGIN )/
/** Longer than the id of a token without its dot. A key has 64 digits. */
const HEX = /^(?:0x)?[0-9a-f]{49,}$/i
/** Base64 of 30 bytes or more, in either alphabet. The text of a PeerId also fits, and is public. */
const BASE64 = /^(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+_-]{40,}={0,2}$/
const PEER_ID = /^12D3Koo[1-9A-HJ-NP-Za-km-z]{45}$/
/** Base64 that has slashes, so it looks like a path: padded, or as long as 32 bytes are and with each kind of character. */
const BASE64_WITH_SLASHES =
  /^(?:.*\/)?[A-Za-z0-9+/]{30,}={1,2}$|^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)[A-Za-z0-9+][A-Za-z0-9+/]{42}$/

/** The text without parts that look like key material. A path keeps its other parts. */
export function shown(text: string): string {
  // A path of more than one line is the content of a file.
  if (/[\r\n]/.test(text) || BASE64_WITH_SLASHES.test(text)) return HIDDEN
  return text.split('/').map(shownPart).join('/')
}

/** True if nothing of the text is hidden. */
export function isShown(text: string): boolean {
  return shown(text) === text
}

/** The message of an error about a path, for example of `node:fs`, with the path as it is shown. */
export function reasonAbout(path: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.replaceAll(path, () => shown(path))
}

/** The error as a `cause`, unless it would show what is hidden: an error of `node:fs` has the path in its fields too. */
export function causeAbout(path: string, error: unknown): { readonly cause?: unknown } {
  return isShown(path) ? { cause: error } : {}
}

function shownPart(part: string): string {
  const isSecret = OURS.test(part) || HEX.test(part) || (BASE64.test(part) && !PEER_ID.test(part))
  return isSecret ? HIDDEN : part
}
