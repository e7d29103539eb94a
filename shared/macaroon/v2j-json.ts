/**
 * A scanner for the JSON (RFC 8259) of V2J. `JSON.parse` is not used, because it silently keeps the last of two members with
 * the same name, and then two readers could see two different macaroons in one text.
 */
import { malformed, truncated } from './format-errors.ts'

/** The highest code of a white-space character of JSON. */
const SPACE_CODE = 0x20
const SPACE = /[ \t\r\n]*/y
// Each character matches exactly one alternative, so a string without its closing quote costs a single pass.
const STRING = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy
/** A number, a literal, or any other text in their place. */
const WORD = /[^\s,:{}[\]"]*/y

export class JsonScanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Reads an object. Calls `read` after the colon of each member; `read` must consume the value. */
  object(read: (name: string) => void): void {
    const seen = new Set<string>()
    this.#list('{', '}', () => {
      const name = this.string()
      if (seen.has(name)) throw malformed('token_duplicate', 'a JSON member occurs twice')
      seen.add(name)
      this.#expect(':')
      read(name)
    })
  }

  /** Reads an array. Calls `read` for each element; `read` must consume it. */
  array(read: () => void): void {
    this.#list('[', ']', read)
  }

  /** Reads a string and resolves its escapes. Half of a surrogate pair is refused, because it has no UTF-8 encoding. */
  string(): string {
    this.#skipSpace()
    const raw = this.#match(STRING)
    if (raw === '') throw this.#unexpected('a string')
    const text = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1)
    if (!text.isWellFormed()) throw malformed('token_utf8', 'a JSON string has half of a surrogate pair')
    return text
  }

  /** Reads a number or a literal, and returns its text. Empty if the next value is of another kind. */
  word(): string {
    this.#skipSpace()
    if (this.#at === this.#text.length) throw this.#unexpected('a value')
    return this.#match(WORD)
  }

  /** Throws token_trailing unless only white space is left. */
  end(): void {
    this.#skipSpace()
    if (this.#at !== this.#text.length) throw malformed('token_trailing', 'characters follow the JSON object')
  }

  #list(open: string, close: string, read: () => void): void {
    this.#expect(open)
    if (this.#follows(close)) return
    do read()
    while (this.#follows(','))
    this.#expect(close)
  }

  #follows(char: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== char) return false
    this.#at += 1
    return true
  }

  #expect(char: string): void {
    if (!this.#follows(char)) throw this.#unexpected(`a ${char}`)
  }

  /** A text that is valid up to its end is reported as truncated, not as bad JSON. */
  #unexpected(wanted: string): Error {
    const rest = this.#text.slice(this.#at)
    if (rest === '' || /^"[^"]*$/.test(rest)) return truncated('its JSON ends early')
    return malformed('token_json', `its JSON lacks ${wanted} where one is required`)
  }

  #skipSpace(): void {
    // Most JSON has no white space, and reading one character costs less than a pattern.
    if (this.#text.charCodeAt(this.#at) <= SPACE_CODE) this.#match(SPACE)
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    if (!pattern.test(this.#text)) return ''
    const found = this.#text.slice(this.#at, pattern.lastIndex)
    this.#at = pattern.lastIndex
    return found
  }
}
