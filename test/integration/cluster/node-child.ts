/** A primary and its replica in a process of their own: a write, a clean stop, and then nothing may hold the process. */
import { createSigner } from '../../../primary/signer/sdk.ts'
import { primaryConfig } from '../../../primary/config.ts'
import { Primary } from '../../../primary/node.ts'
import { replicaConfig } from '../../../replica/config.ts'
import { Replica } from '../../../replica/node.ts'
import { createVerifier } from '../../../replica/worker/sdk.ts'
import { identityFromSeed } from '../../../shared/channel/identity.ts'
import { checkConfig } from '../../../shared/config/read-config.ts'
import { silentLog } from '../../../shared/log.ts'
import { kekFromHex } from '../../../shared/sealing.ts'

const [folder = '', org = ''] = process.argv.slice(2)
const seeds = [1, 2, 3].map((byte) => Buffer.alloc(32, byte))
const [primaryId, replicaId, operatorId] = await Promise.all(seeds.map((seed) => identityFromSeed(seed)))
if (primaryId === undefined || replicaId === undefined || operatorId === undefined) throw new Error('no identities')

const common = { cluster: 'test', identity: 'unused', listen: '127.0.0.1:0', kek: { env: 'UNUSED' } }
const operator = { id: operatorId.peerId, name: 'operator', role: 'operator' }
const peers = [operator, { id: replicaId.peerId, name: 'fra', role: 'replica', region: 'fra' }]
const forPrimary = checkConfig('primary.toml', { ...common, data: `${folder}/primary`, peers }, primaryConfig)
const shell = { kek: kekFromHex('ab'.repeat(32)), log: silentLog }
const primary = await Primary.start({ ...shell, config: forPrimary, identity: primaryId, reread: () => forPrimary })
const source = { address: primary.address, peer_id: primaryId.peerId }
const own = { data: `${folder}/fra`, region: 'fra', primary: source, peers: [operator] }
const forReplica = checkConfig('replica.toml', { ...common, ...own }, replicaConfig)
const replica = await Replica.start({ ...shell, config: forReplica, identity: replicaId, reread: () => forReplica })

const client = { cluster: 'test', identity: seeds[2] ?? Buffer.alloc(32) }
const signer = await createSigner({ ...client, primary: { address: primary.address, peerId: primaryId.peerId } })
const verifier = await createVerifier({ ...client, replicas: [{ address: replica.address, peerId: replicaId.peerId }] })
while (primary.writes !== 'open') await new Promise((resolve) => setTimeout(resolve, 5))
await signer.createOrg(org)
const { token, position } = await signer.mint({ org, subject: 'x' })
const { ok } = await verifier.verify(token, { org }, { minPosition: position })
const { orgs } = await signer.listOrgs()
process.stdout.write(JSON.stringify({ ok, orgs: orgs.map(({ name }) => name), position }))
await signer.close()
await verifier.close()
await replica.stop()
await primary.stop()
