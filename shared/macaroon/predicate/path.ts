/**
 * Paths, compared as they stand in a request. Servers and proxies disagree on what they decode, merge and resolve, so a
 * path that any of them could resolve to another place is refused instead of being normalised here in yet another way.
 */

/**
 * Percent-encoded dot, slash, backslash or NUL, however often the percent sign was encoded itself; and the lead bytes of
 * overlong UTF-8, by which lenient decoders were given dots and slashes (RFC 3629, 10).
 */
const ENCODED_SEPARATOR = /%(?:25)*(?:2e|2f|5c|00|c[01]|e0%(?:25)*[89]|f0%(?:25)*8)/i
/**
 * A segment `.` or `..`, also with something behind it that is stripped somewhere before the segment is resolved: path
 * parameters (`..;x`), a query that was encoded (`..%3fx`), or white space (WHATWG URL, 4.4).
 */
const DOT_SEGMENT = /\/\.{1,2}\s*(?:$|[/;?#])/u
/** Query and fragment begin here, and are not path. Encoded they are characters of a name. */
const QUERY_OR_FRAGMENT = /[?#]/
/** URL parsers drop tabs and line breaks, end at a NUL, and may take a backslash for a slash. */
const FORBIDDEN = /[\\\p{Cc}]/u

/** What most paths are: nothing in it needs a second look. */
const SIMPLE = /^(?:\/[\w~-][\w~.-]*)+\/?$/

/** A name may have a percent sign in it, encoded; one encoded more often than this is there to be decoded by somebody. */
const DECODINGS_MAX = 8

/** True for an absolute path that names the same place to everybody, however often they decode it. */
export function isPlainPath(path: string): boolean {
  if (SIMPLE.test(path)) return true
  if (!path.startsWith('/') || !path.isWellFormed()) return false
  if (ENCODED_SEPARATOR.test(path) || QUERY_OR_FRAGMENT.test(path) || !isPlain(path)) return false
  let decoded = percentDecoded(path)
  for (let more = DECODINGS_MAX; more > 0; more -= 1) {
    if (decoded === undefined || !isPlain(decoded)) return false
    const again = asciiDecoded(decoded)
    if (again === decoded) return true
    decoded = again
  }
  return false
}

function isPlain(path: string): boolean {
  return !FORBIDDEN.test(path) && !DOT_SEGMENT.test(path)
}

/** Undefined for a stray percent sign and for overlong UTF-8 (`%c0%af` was a slash to some decoders). */
function percentDecoded(path: string): string | undefined {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return undefined
  }
}

/** What decodes twice is lenient already, so a percent sign that stands for itself is left as it is. */
function asciiDecoded(path: string): string {
  if (!path.includes('%')) return path
  return path.replaceAll(/%([0-7][0-9a-f])/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
}

/** Whole segments only: `/a` holds `/a` and `/a/b`, `/a/` holds what is below it; neither holds `/ab`. */
export function liesUnder(path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false
  return prefix.endsWith('/') || path.length === prefix.length || path[prefix.length] === '/'
}
