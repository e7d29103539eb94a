/** A peer in a process of its own. `peer-process.ts listen` prints its address; `peer-process.ts dial ADDRESS` dials it. */
import { dial } from '../../../shared/channel/dial.ts'
import { identityFromSeed } from '../../../shared/channel/identity.ts'
import { listen } from '../../../shared/channel/listen.ts'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import { serveRpc } from '../../../shared/channel/rpc-server.ts'
import { silentLog } from '../../../shared/log.ts'

const [command, address = ''] = process.argv.slice(2)
const server = await identityFromSeed(Buffer.alloc(32, 1))
const client = await identityFromSeed(Buffer.alloc(32, 2))

async function runListener(): Promise<void> {
  const listener = await listen({
    address: '127.0.0.1:0',
    identity: server,
    cluster: 'test',
    accept: () => ({ ok: true, welcome: {} }),
    onConnection: (connection) => void serveRpc(connection, { methods: { echo: (params) => params }, log: silentLog }),
    log: silentLog,
  })
  process.stdout.write(`${listener.address}\n`)
  // A clean end by the parent: the process must then exit by itself, with nothing left that holds it.
  process.stdin.resume().on('end', () => void listener.close())
}

async function runDialer(): Promise<void> {
  const options = {
    address,
    peerId: server.peerId,
    identity: client,
    channel: 'verify',
    cluster: 'test',
    hello: {},
  } as const
  const rpc = new RpcClient(await dial(options))
  process.stdout.write(`${JSON.stringify(await rpc.call('echo', { answer: 42 }))}\n`)
  await rpc.close()
}

await (command === 'listen' ? runListener() : runDialer())
