import { createTestAuthority, type TestAuthority } from 'macaroond/testing'
import type { Verifier } from 'macaroond/worker'

type IsAny<T> = 0 extends 1 & T ? true : false

// A declaration that does not resolve would make the authority `any`.
export const typed: [IsAny<typeof createTestAuthority>, IsAny<TestAuthority['signer']>] = [false, false]

const authority = await createTestAuthority({ orgs: ['acme'] })
// A service takes one verifier or the other.
const verifier: Verifier = authority.verifier
const { token, id } = await authority.signer.mint({ org: 'acme', subject: 'alice' })
if (!(await verifier.verify(token, { org: 'acme' })).ok) throw new Error('a token is refused')
await authority.signer.revoke({ id })
if ((await verifier.verify(token, { org: 'acme' })).ok) throw new Error('a revoked token is accepted')
await authority.close()
console.log('ok')
