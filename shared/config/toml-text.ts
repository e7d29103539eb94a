/**
 * Decodes the text of a TOML file, and explains faults that editors make and that are hard to see: encodings, typographic
 * quotes, odd spaces.
 */
import { decodeUtf8 } from '../macaroon/utf8.ts'

export type TomlText = { readonly text: string } | { readonly fault: string; readonly hint: string }

const SAVE_AS_UTF8 = 'save it as UTF-8: PowerShell’s `>` writes UTF-16, `Out-File -Encoding utf8` does not'

/** Decodes a file as UTF-8, without its byte order mark; or returns the fault and a hint. */
export function tomlText(bytes: Uint8Array): TomlText {
  if (isUtf16(bytes)) return { fault: 'the file is UTF-16', hint: SAVE_AS_UTF8 }
  const text = decodeUtf8(bytes)
  if (text === undefined) return { fault: 'the file is not UTF-8', hint: 'save it as UTF-8' }
  // A byte order mark is not part of the content.
  return { text: text.startsWith('\ufeff') ? text.slice(1) : text }
}

/** True if it has a byte order mark of UTF-16, or every second byte is zero. */
function isUtf16([first, second, third, fourth]: Uint8Array): boolean {
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return true
  return (first === 0 && third === 0) || (second === 0 && fourth === 0)
}

const TYPOGRAPHIC = /[“”„‟‘’‚‛«»]/u
const ODD_SPACE = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]/u

/** The hint for a line that does not parse; the rules of TOML if nothing better is found. */
export function lineHint(line: string): string {
  const [quote] = TYPOGRAPHIC.exec(line) ?? []
  if (quote !== undefined) return `the line has a typographic quote, ${quote}: TOML takes " and ' only`
  const [space] = ODD_SPACE.exec(line) ?? []
  if (space !== undefined) {
    const code = (space.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
    return `the line has the character U+${code}, which only looks like a space: type it again`
  }
  if (/"[^"]*\\/.test(line)) return 'in "…" a backslash begins an escape: write \'…\', or two backslashes'
  return 'the file is TOML: strings are quoted, tables are [in brackets]'
}
