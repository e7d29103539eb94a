/** The npm package `macaroon` (go-macaroon/js-macaroon). It has no V1 binary. */
import library, { type JsMacaroon } from 'macaroon'
import type { MacaroonFormat } from '../../../shared/macaroon/format.ts'
import type { Implementation } from './implementation.ts'

export const npmMacaroon: Implementation = {
  name: 'npm macaroon',
  formats: ['v2', 'v2j'],
  create: async ({ key, identifier, location, caveats, form }) => {
    const macaroon = library.newMacaroon({ identifier, location, rootKey: key, version: 2 })
    for (const caveat of caveats) macaroon.addFirstPartyCaveat(caveat)
    return write(macaroon, form)
  },
  attenuate: async ({ macaroon, caveats, form }) => {
    const changed = read(macaroon)
    for (const caveat of caveats) changed.addFirstPartyCaveat(caveat)
    return write(changed, form)
  },
  thirdParty: async ({ macaroon, key, ticket, location, form }) => {
    const changed = read(macaroon)
    changed.addThirdPartyCaveat(key, ticket, location)
    return write(changed, form)
  },
  bind: async ({ root, discharge, form }) => {
    const bound = read(discharge)
    bound.bindToRoot(read(root).signature)
    return write(bound, form)
  },
  verify: async ({ macaroon, discharges, key, exact }) => {
    const known = new Set(exact.map((predicate) => Buffer.from(predicate).toString('utf8')))
    try {
      const check = (condition: string): string | null => (known.has(condition) ? null : 'not met')
      read(macaroon).verify(key, check, discharges.map(read))
      return true
    } catch {
      return false
    }
  },
  close: () => undefined,
}

function read(text: string): JsMacaroon {
  const json = text.startsWith('{')
  return library.importMacaroon(json ? (JSON.parse(text) as object) : new Uint8Array(Buffer.from(text, 'base64url')))
}

/**
 * In JSON where V2 was asked for and there is more than one caveat: its binary writer doubles its buffer with every
 * field (it compares with a capacity that it never sets), so that four caveats would take gigabytes.
 */
function write(macaroon: JsMacaroon, form: MacaroonFormat): string {
  const binary = form === 'v2' && macaroon.caveats.length <= 1
  if (!binary) return JSON.stringify(macaroon.exportJSON())
  return Buffer.from(macaroon.exportBinary()).toString('base64url')
}
