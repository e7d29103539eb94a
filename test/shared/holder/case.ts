/**
 * What a holder does with tokens, as cases whose answers are plain text. This module runs in Node, in an empty context and in
 * a browser, and the answers of all of them must be the same. It imports types alone.
 */
import type * as holder from '../../../shared/holder/holder.ts'

export type Holder = Omit<typeof holder, 'MacaroondError'>

export type Case =
  | { readonly act: 'read'; readonly text: string }
  | { readonly act: 'inspect'; readonly text: string }
  | { readonly act: 'attenuate'; readonly text: string; readonly caveats: readonly CaveatCase[] }
  | { readonly act: 'bind'; readonly root: string; readonly discharges: readonly string[] }

/** Text, or the hex digits of bytes that are not UTF-8. */
export type CaveatCase = string | { readonly hex: string }

const FORMATS = ['text', 'v1', 'v2', 'v2j'] as const

/** One answer a case, as JSON. */
export function answersOf(library: Holder, cases: readonly Case[]): readonly string[] {
  return cases.map((one) => JSON.stringify(outcomeOf(() => answerOf(library, one))))
}

/** A refusal is an answer, too: its code and its words. Anything without a code is a fault of the library. */
function outcomeOf(act: () => unknown): unknown {
  try {
    return act()
  } catch (error) {
    const { code, message, name } = error as { code?: string; message: string; name: string }
    return { code: code ?? `NO CODE: ${name}`, message }
  }
}

function answerOf(library: Holder, one: Case): unknown {
  switch (one.act) {
    case 'read': {
      const { format, macaroon } = library.readTokenText(one.text)
      return { format, signature: hex(macaroon.signature), ...writings(library, macaroon) }
    }
    case 'inspect':
      return library.inspect(one.text)
    case 'attenuate': {
      const caveats = one.caveats.map((caveat) => (typeof caveat === 'string' ? caveat : unhex(caveat.hex)))
      return writings(library, library.attenuate(library.decodeTokenText(one.text), caveats))
    }
    case 'bind': {
      const [root, ...bound] = library.bindDischarges(
        library.decodeTokenText(one.root),
        one.discharges.map((text) => library.decodeTokenText(text)),
      )
      if (root === undefined) throw new Error('no root')
      const bundle = library.encodeBundle([root, ...bound])
      const again = library.decodeBundle(bundle).map((macaroon) => hex(macaroon.signature))
      return { bundle, again, bound: bound.map((macaroon) => library.encodeText(macaroon, 'v2')) }
    }
  }
}

function writings(library: Holder, macaroon: holder.Macaroon): object {
  return Object.fromEntries(
    FORMATS.map((format) => [format, outcomeOf(() => library.encodeText(macaroon, format))] as const),
  )
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function unhex(digits: string): Uint8Array {
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}
