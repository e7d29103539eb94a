/** The Vanadium example: Alice's family and friends delegate their access to each other without asking Alice. */
import { setTimeout as delay } from 'node:timers/promises'
import { dial } from '../../../shared/channel/dial.ts'
import { createIdentityFile, loadIdentity } from '../../../shared/channel/identity.ts'
import { parsePeerId } from '../../../shared/channel/peer-id.ts'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import { startCluster, CLUSTER } from '../shared/cluster.ts'
import { macaroond } from '../shared/command.ts'
import { textIn } from '../shared/http.ts'
import { ServiceProcess } from '../shared/service-process.ts'
import { tell } from '../shared/story.ts'

type Method = 'Get' | 'Add'
type Answer = Record<string, unknown>

await tell('Vanadium: delegation without bothering the owner', async (story) => {
  const cluster = await startCluster(story, { peers: [{ name: 'service', role: 'worker' }] })
  const replicas = cluster.replicas.map((replica) => ({ address: replica.address, peerId: replica.peerId }))
  const settings = { cluster: CLUSTER, identity: cluster.identityOf('service'), replicas }
  const service = await ServiceProcess.start(story, new URL('service.ts', import.meta.url), { settings })
  const [{ address = '', peerId = '' } = {}] = service.lines

  /** A person with an identity of their own and a connection to the service. */
  const person = async (
    name: string,
  ): Promise<{ peerId: string; call: (m: Method, token: string) => Promise<Answer> }> => {
    const file = `${story.folder}/${name}.key`
    await createIdentityFile(file)
    const identity = await loadIdentity(file)
    const to = { address: String(address), peerId: parsePeerId(String(peerId)) }
    const client = new RpcClient(await dial({ ...to, identity, channel: 'verify', cluster: CLUSTER, hello: {} }))
    story.atTheEnd(() => client.close())
    return { peerId: identity.peerId, call: async (m, token) => (await client.call(m, { token })) as Answer }
  }
  const said = (answer: Answer): string =>
    'refused' in answer
      ? `refused: ${textIn(answer, 'caveat') || textIn(answer, 'refused')}`
      : `value ${textIn(answer, 'value')}`
  const [bob, carol, diane] = [await person('bob'), await person('carol'), await person('diane')]

  story.chapter('Alice gives Bob a friend’s token and Carol a family token')
  await cluster.operator.createOrg('alice')
  const mint = (subject: string, op: string) => cluster.operator.mint({ org: 'alice', subject, caveats: [op] })
  const friend = (await mint('Bob', 'op in Get')).token
  const { token: family, position } = await mint('Carol', 'op in Get,Add')
  await caughtUp(cluster.profile, family, position)
  await story.see('Bob gets', 'value 0', async () => said(await bob.call('Get', friend)))
  await story.see('Bob adds', 'refused: op in Get', async () => said(await bob.call('Add', friend)))
  await story.see('Carol adds', 'value 1', async () => said(await carol.call('Add', family)))
  await story.see('Diane, with nothing, gets', 'refused: token_malformed', async () =>
    said(await diane.call('Get', '')),
  )
  await story.see('Diane, with nothing, adds', 'refused: token_malformed', async () =>
    said(await diane.call('Add', '')),
  )

  story.chapter('Carol delegates to Diane, in a pipe')
  // The command line, to show that delegation needs no program of one's own.
  const attenuate = (...options: readonly string[]) => macaroond(['token', 'attenuate', ...options], family)
  const guest = (await attenuate('--ttl', '24h', '--caveat', 'note = guest of Carol')).stdout
  await story.see('Diane gets', 'value 1', async () => said(await diane.call('Get', guest)))
  await story.see('Diane adds', 'value 2', async () => said(await diane.call('Add', guest)))
  await story.see('the service hears from the token', 'guest of Carol', () => String(service.lines.at(-1)?.['notes']))

  story.chapter('Carol delegates for five seconds')
  const brief = (await attenuate('--ttl', '5s', '--caveat', 'note = for a moment')).stdout
  await story.see('Diane gets at once', 'value 2', async () => said(await diane.call('Get', brief)))

  story.chapter('one method only, and to one presenter only')
  // A token that names its presenter is useless to a thief.
  const onlyGet = (await attenuate('--caveat', 'op = Get', '--caveat', `peer = ${diane.peerId}`)).stdout
  await story.see('Diane gets', 'value 2', async () => said(await diane.call('Get', onlyGet)))
  await story.see('Diane adds', 'refused: op = Get', async () => said(await diane.call('Add', onlyGet)))
  const notBob = `refused: peer = ${diane.peerId}`
  await story.see('Bob, who got hold of it, gets', notBob, async () => said(await bob.call('Get', onlyGet)))

  story.chapter('a delegation has at least one caveat')
  await story.see(
    '`token attenuate` without any',
    'exit status 2',
    async () => `exit status ${(await attenuate()).status}`,
  )

  story.chapter('after the five seconds')
  await delay(5_000)
  await story.see('Diane gets', 'refused: time < …', async () =>
    said(await diane.call('Get', brief)).replace(/time < \d+/, 'time < …'),
  )
})

/** Waits until the replica has the org's root key. */
async function caughtUp(profile: string, token: string, position: string): Promise<void> {
  const args = ['--profile', profile, 'token', 'verify', '--org', 'alice', '--access', 'op=Get']
  await macaroond([...args, '--min-position', position], token)
}
