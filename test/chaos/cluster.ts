/** A primary and its replicas on this machine: folders, identities, configurations; every node a process of its own. */
import { randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSigner, type Signer } from '../../primary/signer/sdk.ts'
import { createVerifier, type Verifier } from '../../replica/worker/sdk.ts'
import { createIdentityFile, identityFromSeed, type Identity } from '../../shared/channel/identity.ts'
import { PersistentClient } from '../../shared/channel/persistent-client.ts'
import type { PrimaryStatus, ReplicaStatus } from '../../shared/protocol/status.ts'
import type { Role } from './kill-point/points.ts'
import type { Network } from './network/network.ts'
import { NodeProcess, type NodeStart } from './node-process.ts'

export interface NodeFiles {
  readonly role: Role
  readonly name: string
  readonly folder: string
  readonly config: string
  readonly data: string
  readonly database: string
  readonly address: string
  readonly peerId: string
}

export interface ClusterOptions {
  readonly replicas: readonly string[]
  /** Pages in the WAL before a checkpoint; small, so that checkpoints come often. */
  readonly checkpointPages?: number
  readonly keepBytes?: number
  /** Where nodes listen and how they are reached; without one, all on the loopback interface. */
  readonly network?: Network
  /** Names of workers that replicas let in; each gets an identity file. */
  readonly workers?: readonly string[]
  /** Further settings of the primary and of replicas, as TOML. */
  readonly primarySettings?: string | ((root: string) => string)
  readonly replicaSettings?: string
}

export const CLUSTER = 'chaos'
const CALL_TIMEOUT_MS = 4_000

export class Cluster {
  readonly root: string
  readonly primary: NodeFiles
  readonly replicas: readonly NodeFiles[]
  readonly #operator: Identity
  readonly #running = new Set<NodeProcess>()
  readonly #clients: { close: () => Promise<void> }[] = []

  private constructor(root: string, operator: Identity, [primary, ...replicas]: readonly NodeFiles[]) {
    if (primary === undefined) throw new Error('a cluster has a primary')
    this.root = root
    this.#operator = operator
    this.primary = primary
    this.replicas = replicas
  }

  static async create(options: ClusterOptions): Promise<Cluster> {
    const root = mkdtempSync(join(tmpdir(), 'macaroond-chaos-'))
    const operator = await identityFromSeed(randomBytes(32))
    const nodes: NodeFiles[] = []
    for (const name of ['primary', ...options.replicas]) nodes.push(await makeNode(root, name, options.network))
    writeFileSync(join(root, 'kek'), randomBytes(32).toString('hex'), { mode: 0o600 })
    const cluster = new Cluster(root, operator, nodes)
    const { checkpointPages = 100, keepBytes = 1_000_000 } = options
    const settings = `[checkpoint]\npages = ${checkpointPages}\n[log]\nlevel = "info"\n`
    const operatorEntry = peerEntry(operator.peerId, 'operator', 'operator')
    const replicaEntries = cluster.replicas.map(({ peerId, name }) => peerEntry(peerId, name, 'replica')).join('')
    const segments = `[segments]\nkeep_bytes = ${keepBytes}\n`
    const { network, primarySettings = '', replicaSettings = '' } = options
    const ownSettings = typeof primarySettings === 'string' ? primarySettings : primarySettings(root)
    writeConfig(cluster.primary, root, '', ownSettings + settings + segments + operatorEntry + replicaEntries)
    let workers = ''
    for (const name of options.workers ?? []) {
      const { peerId } = await createIdentityFile(cluster.workerIdentity(name))
      workers += peerEntry(peerId, name, 'worker')
    }
    for (const replica of cluster.replicas) {
      const address = (await network?.dialAddress(replica.name, 'primary')) ?? cluster.primary.address
      const upstream = `[primary]\naddress = "${address}"\npeer_id = "${cluster.primary.peerId}"\n`
      const tables = upstream + replicaSettings + settings + operatorEntry + workers
      writeConfig(replica, root, `region = "${replica.name}"\n`, tables)
    }
    return cluster
  }

  /** Of the operator, for clients of other versions. */
  get operatorSeed(): Uint8Array {
    return this.#operator.privateKey.raw.subarray(0, 32)
  }

  workerIdentity(name: string): string {
    return join(this.root, `${name}.identity`)
  }

  start(node: NodeFiles, how: Omit<NodeStart, 'role' | 'config'> = {}): NodeProcess {
    const started = NodeProcess.start({ role: node.role, config: node.config, ...how })
    this.#running.add(started)
    void started.ended.then(() => this.#running.delete(started))
    return started
  }

  signer(timeoutMs: number = CALL_TIMEOUT_MS): Promise<Signer> {
    return this.signerOf(this.primary, timeoutMs)
  }

  async signerOf({ address, peerId }: NodeFiles, timeoutMs: number): Promise<Signer> {
    const identity = this.operatorSeed
    const signer = await createSigner({ cluster: CLUSTER, identity, primary: { address, peerId }, timeoutMs })
    this.#clients.push(signer)
    return signer
  }

  async verifier(replica: NodeFiles, timeoutMs: number = CALL_TIMEOUT_MS): Promise<Verifier> {
    const { address, peerId } = replica
    const verifier = await createVerifier({
      cluster: CLUSTER,
      identity: this.operatorSeed,
      replicas: [{ address, peerId }],
      timeoutMs,
      cache: false,
    })
    this.#clients.push(verifier)
    return verifier
  }

  async primaryStatus(): Promise<PrimaryStatus> {
    return (await this.admin(this.primary, 'status')) as PrimaryStatus
  }

  async replicaStatus(replica: NodeFiles): Promise<ReplicaStatus> {
    return (await this.admin(replica, 'status')) as ReplicaStatus
  }

  /** One call without parameters, as the operator. */
  async admin({ address, peerId }: NodeFiles, method: string): Promise<unknown> {
    const options = { address, peerId: peerId as Identity['peerId'], identity: this.#operator, cluster: CLUSTER }
    const client = new PersistentClient({ ...options, channel: 'admin' })
    try {
      return await client.call(method, {}, { timeoutMs: CALL_TIMEOUT_MS })
    } finally {
      await client.close()
    }
  }

  /** Ends what still runs and deletes everything, unless `keep` is set for a look at a failure. */
  async remove(keep: boolean): Promise<void> {
    await Promise.all([...this.#running].map((node) => node.kill()))
    await Promise.all(this.#clients.map((client) => client.close()))
    if (!keep) rmSync(this.root, { recursive: true, force: true })
  }
}

async function makeNode(root: string, name: string, network: Network | undefined): Promise<NodeFiles> {
  const folder = join(root, name)
  const data = join(folder, 'data')
  mkdirSync(folder)
  const { peerId } = await createIdentityFile(join(folder, 'identity'))
  return {
    role: name === 'primary' ? 'primary' : 'replica',
    name,
    folder,
    config: join(folder, 'node.toml'),
    data,
    database: join(data, 'macaroond.db'),
    address: network?.listenAddress(name) ?? `127.0.0.1:${await freePort()}`,
    peerId,
  }
}

function writeConfig({ config, address }: NodeFiles, root: string, first: string, tables: string): void {
  const common = `cluster = "${CLUSTER}"\ndata = "data"\nidentity = "identity"\nlisten = "${address}"\n`
  writeFileSync(config, `${common}${first}[kek]\nfile = "${join(root, 'kek')}"\n${tables}`)
}

function peerEntry(id: string, name: string, role: string): string {
  return `[[peers]]\nid = "${id}"\nname = "${name}"\nrole = "${role}"\n`
}

/**
 * Free now; a node listens on it in every one of its lives. Connections that are dialled get their ports from 32768 on, so none
 * takes this one while the node is away.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(16_384, 32_768)
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    server.close()
    if (isFree) return port
  }
}
