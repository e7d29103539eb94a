/** Stories of a service. Each records every verdict, answer and error that it meets. */
import { systemEntropy } from '../../../shared/clock.ts'
import {
  attenuate,
  bindDischarge,
  bindDischarges,
  createDischarge,
  decodeBundle,
  decodeTokenText,
  encodeBundle,
  encodeTokenText,
  MacaroondError,
  openTicket,
  requireDischarge,
} from '../../../shared/library.ts'
import { loginOf } from '../../shared/macaroon/ticket-of.ts'
import type { World } from './world.ts'

export type Tell = (label: string, what: unknown) => void

export interface Story {
  readonly cache?: boolean
  /** Reasons and `ok` of all verdicts, in order. */
  readonly verdicts: readonly string[]
  readonly run: (world: World, tell: Tell) => Promise<void>
}

const narrow = (token: string, ...caveats: readonly string[]): string =>
  encodeTokenText(attenuate(decodeTokenText(token), caveats))

/** The error of a call that rejects, as a value. */
async function refusal(call: Promise<unknown>): Promise<unknown> {
  try {
    return { answered: await call }
  } catch (error) {
    if (!(error instanceof MacaroondError)) return { thrown: String(error) }
    const { code, kind, message, hint } = error
    return { code, kind, message, hint }
  }
}

const ACCESS = { org: 'acme', op: 'read', path: '/photos/cat.jpg' }

const ACCESSES: Readonly<Record<string, unknown>> = {
  plain: ACCESS,
  'another org': { ...ACCESS, org: 'globex' },
  'no org': { op: 'read' },
  'another operation': { ...ACCESS, op: 'write' },
  'another path': { ...ACCESS, path: '/videos/1' },
  'a path that climbs': { ...ACCESS, path: '/photos/../secret' },
  'no path': { org: 'acme', op: 'read' },
  'a number': { ...ACCESS, size: '42' },
  'a key that is none': { ...ACCESS, 'a b': 'c' },
  'a list': ['acme'],
}

const CAVEATS: readonly string[] = [
  'op = read',
  'op in read,write',
  'path prefix /photos/',
  'size <= 100',
  'ip in 10.0.0.0/8',
  'time < 2000-01-01T00:00:00Z',
  'time < 2199-01-01T00:00:00Z',
  'region in fra,sin',
  'region = sin',
  'staleness <= 60s',
  'app? = web',
  'app = web',
  'note = for the audit',
  'something else',
]

async function caveats({ signer, verifier }: World, tell: Tell): Promise<void> {
  await signer.createOrg('acme')
  const { token, position } = await signer.mint({ org: 'acme', subject: 'alice', caveats: ['op in read,write'] })
  const options = { minPosition: position }
  for (const [label, access] of Object.entries(ACCESSES))
    tell(label, await verifier.verify(token, access as typeof ACCESS, options))
  for (const caveat of CAVEATS) tell(caveat, await verifier.verify(narrow(token, caveat), ACCESS, options))
  const peer = '12D3KooWRndVhVZPCiQwHBBBdg769GyrPUW13zxwqQyf9r3ANaba'
  tell('a peer', await verifier.verify(narrow(token, `peer = ${peer}`), ACCESS, { ...options, peer }))
  tell('explained', await verifier.explain(narrow(token, 'op = write', 'note = x'), ACCESS, options))
}

async function malformed({ signer, verifier }: World, tell: Tell): Promise<void> {
  await signer.createOrg('acme')
  const { token } = await signer.mint({ org: 'acme', subject: 'alice' })
  const wait = await signer.mint({ org: 'acme', subject: 'bob' })
  await verifier.verify(wait.token, ACCESS, { minPosition: wait.position })
  const flipped = `${token.slice(0, -2)}${token.endsWith('A') ? 'B' : 'A'}`
  for (const bad of ['', 'x', 'mcn1_', token.slice(0, 40), `${token}~`, `${token}=`])
    tell(`the token ${bad.length}`, await verifier.verify(bad, ACCESS))
  tell('a changed token', (await verifier.verify(flipped, ACCESS)).ok)
  for (const [label, bad] of [
    ['a number', 7],
    ['nothing', undefined],
    ['an object', {}],
  ] as const)
    tell(label, await refusal(verifier.verify(bad as string, ACCESS)))
  tell('no access', await refusal(verifier.verify(token, undefined as never)))
  tell('no position', await refusal(verifier.verify(token, ACCESS, { minPosition: 'soon' })))
  tell(
    'an old epoch',
    await refusal(verifier.verify(token, ACCESS, { minPosition: `0.${'0'.repeat(15)}1.${'0'.repeat(16)}` })),
  )
  tell('an unknown option', await refusal(verifier.verify(token, ACCESS, { minPos: 'x' } as object)))
}

async function revocations({ signer, acme, verifier, pass }: World, tell: Tell): Promise<void> {
  await signer.createOrg('acme')
  await signer.createOrg('globex')
  const mint = (subject: string) => acme.mint({ org: 'acme', subject })
  const verify = async (label: string, token: string, org = 'acme'): Promise<void> =>
    tell(label, await verifier.verify(token, { ...ACCESS, org }))
  const [one, two, bob, carol] = [await mint('alice'), await mint('alice'), await mint('bob'), await mint('carol')]
  const globex = await signer.mint({ org: 'globex', subject: 'alice' })
  await verifier.verify(globex.token, { org: 'globex' }, { minPosition: globex.position })
  const child = narrow(one.token, 'op = read')
  await verify('before', child)
  tell('token', await acme.revoke({ id: one.id, reason: 'stolen', wait: 'global' }))
  tell('again', await acme.revoke({ token: one.token, wait: 'global' }))
  for (const token of [one.token, child, two.token]) await verify('after the token', token)
  tell('subject', await acme.revokeIssued({ org: 'acme', subject: 'alice', wait: 'global' }))
  for (const { token } of [two, bob]) await verify('after the subject', token)
  await pass(2)
  const later = await mint('alice')
  await verifier.verify(later.token, ACCESS, { minPosition: later.position })
  await verify('minted after the subject', later.token)
  tell('org', await acme.revokeIssued({ org: 'acme', wait: 'global' }))
  for (const { token } of [later, carol]) await verify('after the org', token)
  await verify('of another org', globex.token, 'globex')
  await pass(2)
  const old = await mint('dora')
  tell('rotated', await acme.rotateKey('acme'))
  const fresh = await mint('dora')
  await verifier.verify(fresh.token, ACCESS, { minPosition: fresh.position })
  for (const { token } of [old, fresh]) await verify('after the rotation', token)
  tell('key', await acme.retireKey({ org: 'acme', wait: 'global' }))
  for (const { token } of [old, fresh]) await verify('after the key', token)
  tell('disabled', await acme.disableOrg({ org: 'acme', wait: 'global' }))
  for (const { token } of [old, fresh]) await verify('after the org was disabled', token)
  tell('no mint', await refusal(mint('eve')))
  const { revocations: listed } = await acme.listRevocations({ org: 'acme' })
  tell('list', listed)
}

async function expiry({ signer, verifier, pass }: World, tell: Tell): Promise<void> {
  await signer.createOrg('acme')
  const short = await signer.mint({ org: 'acme', subject: 'alice', ttlSeconds: 1 })
  const long = await signer.mint({ org: 'acme', subject: 'alice', ttlSeconds: 0 })
  tell('no expiry', await verifier.verify(long.token, ACCESS, { minPosition: long.position }))
  await pass(2_100)
  tell('late', await verifier.verify(short.token, ACCESS))
  tell('no expiry, later', await verifier.verify(long.token, ACCESS))
}

async function lease({ signer, verifier, loseLease, restoreLease }: World, tell: Tell): Promise<void> {
  await signer.createOrg('acme')
  const [one, two] = [
    await signer.mint({ org: 'acme', subject: 'alice' }),
    await signer.mint({ org: 'acme', subject: 'bob' }),
  ]
  const heard: string[] = []
  for (const name of ['leaseLost', 'leaseBack', 'revoked'] as const) verifier.on(name, () => heard.push(name))
  for (const { token } of [one, two]) await verifier.verify(token, ACCESS, { minPosition: two.position })
  for (const { token } of [one, two]) tell('before', await verifier.verify(token, ACCESS))
  await loseLease()
  for (const { token } of [one, two]) tell('without a lease', await verifier.verify(token, ACCESS))
  const { serving, leaseRemainingMs } = verifier.health()
  tell('health', { serving, leaseRemainingMs })
  tell('revoked meanwhile', await signer.revoke({ id: one.id, wait: 'local' }))
  tell('still', await verifier.verify(one.token, ACCESS))
  await restoreLease()
  for (const { token } of [one, two]) tell('after', await verifier.verify(token, ACCESS))
  tell('serving', verifier.health().serving)
  tell('heard', [...new Set(heard)].toSorted())
}

const LOGIN = 'https://login.example'
const LOGIN_KEY = { sharedKey: Buffer.alloc(32, 5) }

async function thirdParties({ signer, acme, verifier }: World, tell: Tell): Promise<void> {
  await signer.createOrg('acme')
  const verify = async (label: string, token: string, minPosition?: string): Promise<void> =>
    tell(label, await verifier.verify(token, ACCESS, minPosition === undefined ? {} : { minPosition }))
  const { token, position } = await acme.mint({ org: 'acme', subject: 'alice' })
  const needed = { location: LOGIN, condition: 'logged in', recipient: LOGIN_KEY }
  const root = requireDischarge(decodeTokenText(token), needed, systemEntropy)
  const ticket = root.caveats.at(-1)?.cid ?? new Uint8Array()
  const discharge = createDischarge({ ticket, caveatKey: openTicket(ticket, [LOGIN_KEY]).caveatKey })
  await verify('no discharge', encodeTokenText(root), position)
  await verify('an unbound discharge', encodeBundle([root, discharge]))
  const bundle = encodeBundle([root, bindDischarge(root, discharge)])
  await verify('a discharge', bundle)
  const login = { token: bundle, strip: LOGIN, ...loginOf(bundle) }
  const service = await acme.exchange(login)
  tell('exchanged', { ...service, ticket: undefined })
  await verify('a service token', service.token, service.position)
  tell('another login', await refusal(acme.exchange({ ...login, ticket: 'AAAA' })))
  await signer.revoke({ token, wait: 'global' })
  await verify('a service token of a revoked one', service.token)
  const { publicKey, location } = await signer.addThirdParty({ name: 'store' })
  const other = await acme.mint({ org: 'acme', subject: 'bob' })
  const recipient = { publicKey: Buffer.from(publicKey, 'hex') }
  const asked = requireDischarge(
    decodeTokenText(other.token),
    { location, condition: 'may op=read', recipient },
    systemEntropy,
  )
  const plain = await acme.mint({ org: 'acme', subject: 'carol' })
  const cid = Buffer.from(asked.caveats.at(-1)?.cid ?? []).toString('base64url')
  const answer = await refusal(acme.discharge({ ticket: cid, tokens: [plain.token] }))
  tell('discharged', answer)
  const { answered } = answer as { answered?: { discharge: string } }
  if (answered === undefined) return
  const bound = bindDischarges(asked, decodeBundle(answered.discharge))
  await verify('discharged by the authority', encodeBundle(bound), plain.position)
}

async function signing({ signer, acme }: World, tell: Tell): Promise<void> {
  tell('org', await signer.createOrg('acme'))
  await signer.createOrg('globex')
  tell('twice', await refusal(signer.createOrg('acme')))
  tell('another org', await refusal(acme.mint({ org: 'globex', subject: 'alice' })))
  tell('no org', await refusal(signer.mint({ org: 'nobody', subject: 'alice' })))
  tell('a bad caveat', await refusal(acme.mint({ org: 'acme', subject: 'alice', caveats: ['OP = read'] })))
  tell('a bad subject', await refusal(acme.mint({ org: 'acme', subject: ' alice' })))
  tell('a bad lifetime', await refusal(acme.mint({ org: 'acme', subject: 'alice', ttlSeconds: -1 })))
  const minted = await acme.mint({ org: 'acme', subject: 'alice', caveats: ['op in "read"'], ttlSeconds: 60 })
  tell('minted', minted)
  tell('listed', await acme.listTokens({ org: 'acme' }))
  tell('shown', await acme.showToken(minted.id))
  tell('counted', await acme.countTokens({ org: 'acme', subject: 'alicf' }))
  tell('orgs', await acme.listOrgs())
  tell('a request', await acme.revoke({ id: minted.id, requestId: 'r1' }))
  tell('the request again', await acme.revoke({ id: minted.id, requestId: 'r1' }))
  tell('another request', await refusal(acme.revoke({ id: minted.id, requestId: 'r1', reason: 'else' })))
  tell('a key of nobody', await refusal(acme.revoke({ id: `${'0'.repeat(16)}.${'0'.repeat(32)}` })))
  tell('no operator', await refusal(acme.pendingRevocations()))
  tell('pending', await signer.pendingRevocations())
  tell('two at once', (await Promise.all([1, 2, 3].map((n) => acme.mint({ org: 'acme', subject: `s${n}` })))).length)
}

const OK = 'ok'
const REVOCATIONS = [
  OK,
  'revoked',
  'revoked',
  OK,
  'revoked',
  OK,
  OK,
  'revoked',
  'revoked',
  OK,
  OK,
  OK,
  'key_retired',
  OK,
  'org_disabled',
  'org_disabled',
]
const LOST_LEASE = [OK, OK, 'unavailable', 'unavailable', 'unavailable', 'revoked', OK]

export const STORIES: Readonly<Record<string, Story>> = {
  'caveats and accesses': {
    run: caveats,
    verdicts: [
      OK,
      'org_mismatch',
      'org_missing',
      OK,
      OK,
      OK,
      OK,
      OK,
      'access_malformed',
      'access_malformed',
      OK,
      OK,
      OK,
      'caveat_refused',
      'caveat_refused',
      'caveat_refused',
      OK,
      OK,
      'caveat_refused',
      OK,
      OK,
      'caveat_refused',
      OK,
      'caveat_unknown',
      OK,
    ],
  },
  'malformed tokens and calls': {
    run: malformed,
    verdicts: [
      'token_malformed',
      'token_base64',
      'token_truncated',
      'token_truncated',
      'bundle_malformed',
      'token_damaged',
    ],
  },
  'revocations of every kind': { run: revocations, verdicts: REVOCATIONS },
  'revocations of every kind, with a cache': { run: revocations, cache: true, verdicts: REVOCATIONS },
  'tokens that expire': { run: expiry, verdicts: [OK, 'expired', OK] },
  'tokens that expire, with a cache': { run: expiry, cache: true, verdicts: [OK, 'expired', OK] },
  'a lost lease': { run: lease, verdicts: LOST_LEASE },
  'a lost lease, with a cache': { run: lease, cache: true, verdicts: LOST_LEASE },
  'third parties and service tokens': {
    run: thirdParties,
    verdicts: ['discharge_missing', 'discharge_invalid', OK, OK, 'revoked', OK],
  },
  'the calls of a signer': { run: signing, verdicts: [] },
}
