/** A database with issued tokens of two orgs. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createAuthorityDatabase } from '../../../primary/store/create-database.ts'
import { RowWriter } from '../../../primary/store/row-writer.ts'
import { type ListTokensOptions } from '../../../primary/store/token-listing.ts'
import { systemClock, systemEntropy, type Timers } from '../../../shared/clock.ts'
import { type Kid, kid, type Nonce, tokenId } from '../../../shared/ids.ts'
import type { TokenIdentifier } from '../../../shared/macaroon/identifier.ts'
import { nonceTimeMs } from '../../../shared/macaroon/nonce.ts'
import type { ListedToken } from '../../../shared/protocol/tokens.ts'
import { kekFromHex } from '../../../shared/sealing.ts'
import { openWritable, type Database } from '../../../shared/sqlite/open-database.ts'

export const ACME: Kid = kid('00000000000000a1')
export const GLOBEX: Kid = kid('00000000000000b2')
export const NOW_MS = 1_800_000_000_000
export const NEVER: AbortSignal = new AbortController().signal

export function database(): Database {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-tokens-'))
  const db = openWritable(join(folder, 'macaroond.db'))
  db.pragma('synchronous = OFF')
  onTestFinished(() => {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const kek = kekFromHex('ab'.repeat(32))
  createAuthorityDatabase(db, { cluster: 'test', kek, clock: systemClock, entropy: systemEntropy })
  return db
}

export function nonceAt(ms: number): Nonce {
  return `${ms.toString(16).padStart(12, '0')}70008000000000000000` as Nonce
}

/** One mint a millisecond, of two orgs in turn. */
export function mint(db: Database, count: number, subject: string = 'alice'): void {
  const rows = new RowWriter(db)
  db.transaction(() => {
    for (let n = 0; n < count; n += 1) {
      const row = { kid: n % 2 === 0 ? ACME : GLOBEX, nonce: nonceAt(NOW_MS + n), subject, expiresAt: 0 }
      rows.write({ table: 'issued', row })
    }
  })()
}

export const describeToken = ({ kid: key, nonce, subject, expiresAt, ancestors }: TokenIdentifier): ListedToken => {
  const listed = { id: tokenId(key, nonce), subject, issuedAtMs: nonceTimeMs(nonce), expiresAt, state: 'live' as const }
  return ancestors.length === 0 ? listed : { ...listed, ancestors: ancestors.map((one) => tokenId(one.kid, one.nonce)) }
}

export const ALL: ListTokensOptions = {
  after: '',
  limit: 1_000,
  sinceMs: 0,
  keys: [ACME, GLOBEX],
  matches: () => true,
  describe: describeToken,
  signal: NEVER,
}

/** Counts the turns that a walk leaves to other work. */
export function counted(): Pick<Timers, 'soon'> & { readonly turns: () => number } {
  let turns = 0
  return {
    soon: (call) => {
      turns += 1
      systemClock.soon(call)
    },
    turns: () => turns,
  }
}
