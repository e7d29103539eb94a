/**
 * A scanner for the little JSON (RFC 8259) that V2J is made of. `JSON.parse` keeps the last of two members with one
 * name and says nothing, so that a checker and a verifier could see two different macaroons in one text.
 */
import { malformed, truncated } from './format-errors.ts'

/** No white space of JSON has a higher code. */
const SPACE_CODE = 0x20
const SPACE = /[ \t\r\n]*/y
// One alternative per character, so that a text without its closing quote costs one pass and no more.
const STRING = /"(?:[^"\\\p{Cc}]|[\u007f-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy
/** A number, a literal, or whatever else stands in their place. */
const WORD = /[^\s,:{}[\]"]*/y

export class JsonScanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Calls `read` behind the colon of every member; `read` consumes the value. */
  object(read: (name: string) => void): void {
    const seen = new Set<string>()
    this.#list('{', '}', () => {
      const name = this.string()
      if (seen.has(name)) throw malformed('token_duplicate', 'a JSON member stands twice')
      seen.add(name)
      this.#expect(':')
      read(name)
    })
  }

  /** Calls `read` once for every element; `read` consumes it. */
  array(read: () => void): void {
    this.#list('[', ']', read)
  }

  /** With its escapes resolved; half of a surrogate pair is refused, since it has no bytes in UTF-8. */
  string(): string {
    this.#skipSpace()
    const raw = this.#match(STRING)
    if (raw === '') throw this.#unexpected('a string')
    const text = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1)
    if (!text.isWellFormed()) throw malformed('token_utf8', 'a JSON string has half of a surrogate pair')
    return text
  }

  /** A number or a literal, as it is spelled; empty when a value of another kind stands here. */
  word(): string {
    this.#skipSpace()
    if (this.#at === this.#text.length) throw this.#unexpected('a value')
    return this.#match(WORD)
  }

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

  /** A text that is right up to its end was cut off, and that is another mistake than bad JSON. */
  #unexpected(wanted: string): Error {
    const rest = this.#text.slice(this.#at)
    if (rest === '' || /^"[^"]*$/.test(rest)) return truncated('its JSON ends early')
    return malformed('token_json', `its JSON does not have ${wanted} where one belongs`)
  }

  #skipSpace(): void {
    // Most JSON has none, and asking a pattern costs more than reading a character.
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
