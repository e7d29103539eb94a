/** The verifier alone in a process: tokens of several lengths, a full revocation table, one core. */
import { randomBytes } from 'node:crypto'
import { kid as asKid, type Nonce } from '../../shared/ids.ts'
import { encodeIdentifier } from '../../shared/macaroon/identifier.ts'
import { attenuate, createMacaroon } from '../../shared/macaroon/attenuate.ts'
import { nextNonce } from '../../shared/macaroon/nonce.ts'
import { encodeTokenText } from '../../shared/macaroon/text.ts'
import { KeyTable } from '../../shared/verifier/key-table.ts'
import { CutOffs } from '../../shared/verifier/cut-offs.ts'
import { RevocationTable, TABLE_SEED_BYTES } from '../../shared/verifier/revocation-table.ts'
import { judge, type TokenTables } from '../../shared/verifier/verifier.ts'
import { nowNs, serve } from './process.ts'

const KID = asKid('00000000000000a1')
const TOKENS = 1000
const ACCESS = { org: 'acme', op: 'read', path: '/projects/42/plan', ip: '10.1.2.3' }
/** All of them clear; a token of n caveats has the first n, over and over. */
const CAVEATS = [
  'op in read,write',
  'path prefix /projects/42',
  'region = fra',
  'ip in 10.0.0.0/8',
  'time < 2100-01-01T00:00:00Z',
]

const derivedKey = randomBytes(32)
const keys = new KeyTable([[KID, { org: 'acme', derivedKey, state: 'active', orgState: 'active' }]])
const revocations = new RevocationTable({ seed: randomBytes(TABLE_SEED_BYTES) })
const tables: TokenTables = {
  key: (kid) => keys.get(kid),
  revoked: (kid, nonce) => revocations.has(kid, nonce),
  cutOffs: new CutOffs(),
}
let nonces = { lastMs: 0, counter: 0 }

function freshNonce(): Nonce {
  const step = nextNonce(nonces, Date.now(), randomBytes(8))
  nonces = step.state
  return step.nonce
}

function mint(caveats: number): string {
  const identifier = encodeIdentifier({ kid: KID, nonce: freshNonce(), expiresAt: 0, ancestors: [], subject: 'alice' })
  const root = createMacaroon({ derivedKey, location: 'bench', identifier })
  const texts = Array.from({ length: caveats }, (_, index) => CAVEATS[index % CAVEATS.length] ?? '')
  return encodeTokenText(attenuate(root, texts))
}

function judgeAll(tokens: readonly string[]): void {
  for (const token of tokens) {
    const now = Date.now()
    const verdict = judge({ token, access: ACCESS }, tables, { nowEarliestMs: now, nowLatestMs: now, region: 'fra' })
    if (!verdict.ok) throw new Error(`a good token was refused: ${verdict.message}`)
  }
}

const minted = new Map<number, readonly string[]>()

const calls = {
  revoke: (count: number): { bytes: number } => {
    while (revocations.size < count) revocations.add(KID, freshNonce())
    return { bytes: revocations.bytes }
  },
  /** Verdicts a second over at least so long a time. */
  run: ({ caveats, milliseconds }: { caveats: number; milliseconds: number }): number => {
    const tokens = minted.get(caveats) ?? Array.from({ length: TOKENS }, () => mint(caveats))
    minted.set(caveats, tokens)
    const startNs = nowNs()
    let verdicts = 0
    let elapsedNs = 0
    while (elapsedNs < milliseconds * 1e6) {
      judgeAll(tokens)
      verdicts += tokens.length
      elapsedNs = nowNs() - startNs
    }
    return (verdicts / elapsedNs) * 1e9
  },
} as const

export type VerifyCalls = typeof calls

serve(calls)
