/** Tests the checker of the upgrade: a replica that accepts a revoked token, or refuses a good one, fails the run. */
import { expect, test } from 'vitest'
import type { Signer } from '../../primary/signer/sdk.ts'
import type { Verifier } from '../../replica/worker/sdk.ts'
import { Ledger } from '../chaos/ledger.ts'
import { Random } from '../chaos/random.ts'
import { UpgradeLoad } from './load.ts'

/** Runs against a replica that gives always the same verdict. */
async function runAgainst(verdict: object, enough: (load: UpgradeLoad) => boolean): Promise<void> {
  let minted = 0
  const position = '1.0000000000000001.0123456789abcdef'
  const signer = {
    mint: () => Promise.resolve({ token: `t${(minted += 1)}`, id: `id${minted}`, position }),
    revoke: () => Promise.resolve({ position }),
  } as unknown as Signer
  const verifier = { verify: () => Promise.resolve(verdict) } as unknown as Verifier
  const load = new UpgradeLoad({
    signers: [{ name: 'a signer', client: signer }],
    verifiers: [{ name: 'fra', client: verifier }],
    ledger: new Ledger(),
    random: new Random(1),
    boundMs: 0,
  })
  load.start()
  await expect.poll(() => load.failure !== undefined || enough(load), { timeout: 10_000 }).toBe(true)
  await load.stop()
}

test('a replica that accepts a revoked token fails the run', async () => {
  await expect(runAgainst({ ok: true }, () => false)).rejects.toThrow(/answers ok: id\d+, revoked/)
})

test('a replica that refuses an unrevoked token as revoked fails the run', async () => {
  await expect(runAgainst({ ok: false, reason: 'revoked' }, () => false)).rejects.toThrow('not revoked')
})

test('a replica that refuses a good token for another reason fails the run', async () => {
  await expect(runAgainst({ ok: false, reason: 'key_unknown' }, () => false)).rejects.toThrow('answers key_unknown')
})

test('`unavailable` counts as no verdict', async () => {
  const unavailable = { ok: false, reason: 'unavailable' }
  const run = runAgainst(unavailable, (load) => load.count('revoked by a signer, global') > 3)
  await expect(run).resolves.toBeUndefined()
})
