import { expect, test } from 'vitest'
import { systemEntropy } from '../../../shared/clock.ts'
import {
  addThirdPartyCaveat,
  bindDischarge,
  createDischarge,
  decodeTokenText,
  encodeBundle,
  encodeTokenText,
} from '../../../shared/library.ts'
import { Cluster } from './harness.ts'

test('a token with a third-party caveat is verified only with its bound discharge', async () => {
  const cluster = await Cluster.start()
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const minted = await signer.mint({ org: 'acme', subject: 'alice' })
  const verifier = await cluster.verifier()
  const verify = (token: string, op = 'read'): ReturnType<typeof verifier.verify> =>
    verifier.verify(token, { org: 'acme', op }, { minPosition: minted.position })
  const caveatKey = systemEntropy.bytes(32)
  const ticket = Buffer.from('login of alice')
  const location = 'https://login.example.org'
  const root = addThirdPartyCaveat(decodeTokenText(minted.token), { caveatKey, ticket, location }, systemEntropy)
  const discharge = createDischarge({ ticket, caveatKey, location, caveats: ['op = read'] })

  expect(await verify(encodeTokenText(root))).toMatchObject({ ok: false, reason: 'discharge_missing' })
  expect(await verify(encodeBundle([root, discharge]))).toMatchObject({ ok: false })
  const bundle = encodeBundle([root, bindDischarge(root, discharge)])
  expect(await verify(bundle)).toMatchObject({ ok: true, subject: 'alice' })
  expect(await verify(bundle, 'write')).toMatchObject({ ok: false, reason: 'caveat_refused', caveat: 'op = read' })
  await signer.revoke({ id: minted.id })
  expect(await verify(bundle)).toMatchObject({ ok: false, reason: 'revoked' })
})
