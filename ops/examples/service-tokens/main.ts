/**
 * The Fly.io example of service tokens. A user's token needs a login every few minutes, and a machine cannot log in. So a
 * deploy exchanges the user's token for a service token.
 */
import { createVerifier } from '../../../replica/worker/sdk.ts'
import {
  addThirdPartyCaveat,
  attenuate,
  bindDischarges,
  createDischarge,
  createDischargeClient,
  decodeTokenText,
  encodeBundle,
  encodeTokenText,
  openTicket,
  requireDischarge,
  systemEntropy,
} from '../../../shared/library.ts'
import { CLUSTER, startCluster } from '../shared/cluster.ts'
import { macaroond } from '../shared/command.ts'
import { ServiceProcess } from '../shared/service-process.ts'
import { tell } from '../shared/story.ts'

await tell('Service tokens: what a user may do, for a machine that cannot log in', async (story) => {
  const regions = ['fra', 'sin']
  const cluster = await startCluster(story, { regions, peers: [{ name: 'machine', role: 'worker' }] })
  const { operator } = cluster
  await operator.createOrg('acme')
  const sharedKey = systemEntropy.bytes(32)
  const env = { LOGIN_KEY: sharedKey.toString('hex') }
  const login = await ServiceProcess.start(story, new URL('login.ts', import.meta.url), { env })
  const verifiers = await Promise.all(
    cluster.replicas.map(({ address, peerId }) => {
      const identity = cluster.identityOf('machine')
      return createVerifier({ cluster: CLUSTER, identity, replicas: [{ address, peerId }] })
    }),
  )
  for (const verifier of verifiers) story.atTheEnd(() => verifier.close())
  /** Verifies in every region, at the position of the last write or a later one. */
  let position = ''
  const verified = async (token: string, machine = 'm1'): Promise<string> => {
    const access = { org: 'acme', op: 'deploy', machine }
    const verdicts = verifiers.map((verifier) => verifier.verify(token, access, { minPosition: position }))
    const said = (await Promise.all(verdicts)).map((v) => (v.ok ? 'accepted' : `refused: ${v.caveat ?? v.reason}`))
    return [...new Set(said)].join(' / ')
  }

  story.chapter('a user’s token that needs a login')
  const minted = await operator.mint({ org: 'acme', subject: 'alice', caveats: ['op = deploy'], ttlSeconds: 3_600 })
  position = minted.position
  const needed = { location: login.url, condition: 'alice is logged in', recipient: { sharedKey } }
  const guardedByLogin = requireDischarge(decodeTokenText(minted.token), needed, systemEntropy)
  const user = encodeTokenText(guardedByLogin)
  /** The ticket identifies the login caveat. The location would not: any holder of the token can write one. */
  const ticket = Buffer.from(guardedByLogin.caveats.at(-1)?.cid ?? []).toString('base64url')
  const host = new URL(login.url).host
  const discharge = (credential: string): Promise<string> =>
    createDischargeClient({ credentials: { [host]: credential } }).discharge(user)
  await story.see('without the login', 'refused: discharge_missing', () => verified(user))
  await story.see('a machine that tries to log in', 'discharge_refused', () => discharge('Bearer a machine'))
  const bundle = await discharge('Bearer alice is here')
  await story.see('with Alice’s login', 'accepted', () => verified(bundle))

  story.chapter('the deploy exchanges it for a service token')
  const exchanged = await operator.exchange({
    token: bundle,
    strip: login.url,
    id: minted.id,
    ticket,
    ttlSeconds: 30 * 86_400,
  })
  position = exchanged.position
  const service = encodeTokenText(attenuate(decodeTokenText(exchanged.token), ['machine = m1']))
  await story.see('on machine m1, without any login', 'accepted', () => verified(service))
  await story.see('on machine m2', 'refused: machine = m1', () => verified(service, 'm2'))
  await story.see('it names what it was made from', minted.id, () => exchanged.ancestors.join())

  story.chapter('what is not exchanged')
  const exchange = async (token: string): Promise<string> =>
    (await operator.exchange({ token, strip: login.url, id: minted.id, ticket })).id
  await story.see('without a valid discharge', 'token_refused', () => exchange(user))
  // The attack: a holder adds a login of its own with the same location, and discharges it itself.
  const own = { caveatKey: systemEntropy.bytes(32), ticket: 'mine', location: login.url }
  const unguarded = addThirdPartyCaveat(decodeTokenText(minted.token), own, systemEntropy)
  const selfMade = encodeBundle(bindDischarges(unguarded, [createDischarge(own)]))
  await story.see('with a login that its holder made up', 'token_refused', () => exchange(selfMade))
  // Refused, although the bundle verifies: the service token would drop the other third party's caveat too.
  const elsewhere = 'https://another.example'
  const guarded = requireDischarge(decodeTokenText(user), { ...needed, location: elsewhere }, systemEntropy)
  const both = createDischargeClient({
    credentials: { [host]: 'Bearer alice is here' },
    ask: async ({ location, ticket }) => (location === elsewhere ? dischargedHere(ticket, sharedKey) : undefined),
  })
  const twice = await both.discharge(encodeTokenText(guarded))
  await story.see('with a further third-party caveat it is', 'accepted', () => verified(twice))
  await story.see('but not exchanged', 'token_refused', () => exchange(twice))
  const args = [
    '--profile',
    cluster.profile,
    'token',
    'exchange',
    '--strip',
    login.url,
    '--id',
    minted.id,
    '--ticket',
    ticket,
    '--ttl',
    '1h',
  ]
  await story.see('from the command line it works as well', 'accepted', async () =>
    verified((await macaroond(args, bundle)).stdout),
  )

  story.chapter('the user’s token is revoked')
  position = (await operator.revoke({ id: minted.id, reason: 'laptop stolen' })).position
  await story.see('the service token, in every region', 'refused: revoked', () => verified(service))
  await story.see('and an exchange of the bundle now', 'token_refused', () => exchange(bundle))
})

/** A second third party, which this story plays itself. */
function dischargedHere(ticket: string, sharedKey: Uint8Array): string {
  const bytes = new Uint8Array(Buffer.from(ticket, 'base64url'))
  const { caveatKey } = openTicket(bytes, [{ sharedKey }])
  return encodeTokenText(createDischarge({ ticket: bytes, caveatKey }))
}
