/**
 * The npm package `macaroon`. It attenuates in place, so what has to stay as it is gets cloned first; base64 is taken off
 * by Node, which is quicker than the package's own way.
 */
import library, { type JsMacaroon } from 'macaroon'
import { serveContender } from './contender.ts'
import { CAVEAT_SECRET, IDENTIFIER, LOCATION, SECRET, THIRD_PARTY, TICKET } from './specimen.ts'

const secret = new Uint8Array(Buffer.from(SECRET))
const caveatKey = new Uint8Array(Buffer.from(CAVEAT_SECRET))

function make(rootKey: Uint8Array, identifier: string, location: string, predicates: readonly string[]): JsMacaroon {
  const macaroon = library.newMacaroon({ identifier, location, rootKey, version: 2 })
  for (const predicate of predicates) macaroon.addFirstPartyCaveat(predicate)
  return macaroon
}

function read(text: string): JsMacaroon {
  if (text.startsWith('{')) return library.importMacaroon(JSON.parse(text) as object)
  return library.importMacaroon(Buffer.from(text, 'base64url'))
}

/** It throws what it refuses. */
function accepted(work: () => void): boolean {
  try {
    work()
    return true
  } catch {
    return false
  }
}

serveContender<JsMacaroon>({
  create: (predicates) => make(secret, IDENTIFIER, LOCATION, predicates),
  write: (macaroon) => JSON.stringify(macaroon.exportJSON()),
  read,
  verifier: (predicates) => {
    const known = new Set(predicates)
    const check = (condition: string): string | null => (known.has(condition) ? null : 'not met')
    return (macaroon, discharges) => accepted(() => macaroon.verify(secret, check, discharges))
  },
  attenuate: (macaroon, predicate) => {
    const attenuated = macaroon.clone()
    attenuated.addFirstPartyCaveat(predicate)
    return attenuated
  },
  demand: (macaroon) => {
    const demanding = macaroon.clone()
    demanding.addThirdPartyCaveat(caveatKey, TICKET, THIRD_PARTY)
    return demanding
  },
  discharge: (root, predicates) => {
    const discharge = make(caveatKey, TICKET, THIRD_PARTY, predicates)
    discharge.bindToRoot(root.signature)
    return discharge
  },
})
