/** A cluster in this process: the real nodes with real sockets and files, a proxy before the primary for every replica. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { stringify } from 'smol-toml'
import { onTestFinished } from 'vitest'
import { createSigner, type Signer } from '../../../primary/signer/sdk.ts'
import { primaryConfig, type PrimaryConfig } from '../../../primary/config.ts'
import { Primary } from '../../../primary/node.ts'
import { NO_FLAGS, type PrimaryFlags } from '../../../primary/options.ts'
import { replicaConfig, type ReplicaConfig } from '../../../replica/config.ts'
import { Replica } from '../../../replica/node.ts'
import { createVerifier, type Verifier } from '../../../replica/worker/sdk.ts'
import type { ChannelName } from '../../../shared/channel/channel-name.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { dial } from '../../../shared/channel/dial.ts'
import { createIdentityFile, identityFromSeed, type Identity } from '../../../shared/channel/identity.ts'
import type { JsonObject } from '../../../shared/channel/json.ts'
import { RpcClient } from '../../../shared/channel/rpc-client.ts'
import { checkConfig } from '../../../shared/config/read-config.ts'
import type { PeerEntry } from '../../../shared/config/node-config.ts'
import type { Host } from '../../../shared/service/host.ts'
import { silentLog } from '../../../shared/log.ts'
import type { PrimaryStatus, ReplicaStatus } from '../../../shared/protocol/status.ts'
import { kekFromHex, type Kek } from '../../../shared/sealing.ts'
import { Proxy } from './proxy.ts'

export const CLUSTER = 'test'
export const KEK: Kek = kekFromHex('ab'.repeat(32))

export type Who = 'primary' | 'operator' | 'acme' | 'globex' | 'worker' | 'stranger' | 'fra' | 'sin'
const WHO: readonly Who[] = ['primary', 'operator', 'acme', 'globex', 'worker', 'stranger', 'fra', 'sin']

export function seedOf(who: Who): Uint8Array {
  return Buffer.alloc(32, WHO.indexOf(who) + 1)
}

const identities = new Map(
  await Promise.all(WHO.map(async (who) => [who, await identityFromSeed(seedOf(who))] as const)),
)

export function identityOf(who: Who): Identity {
  const identity = identities.get(who)
  if (identity === undefined) throw new Error(`nobody is called ${who}`)
  return identity
}

export function peerEntry(who: Who, entry: Omit<PeerEntry, 'id' | 'name'>): PeerEntry {
  return { id: identityOf(who).peerId, name: who, ...entry }
}

/** Waits for a condition, not for a time; the time is only there so that a broken promise ends the test. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs: number = 15_000,
): Promise<void> {
  const untilMs = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > untilMs) throw new Error(`still not so after ${timeoutMs} ms: ${what}`)
    await delay(5)
  }
}

export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-cluster-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface ClusterOptions {
  readonly regions?: readonly ('fra' | 'sin')[]
  readonly primary?: Partial<PrimaryConfig>
  readonly replica?: Partial<ReplicaConfig>
  /** The primary's. */
  readonly host?: Host
}

export class Cluster {
  readonly folder: string = scratch()
  readonly #options: ClusterOptions
  readonly #proxies = new Map<string, Proxy>()
  readonly #replicas = new Map<string, Replica>()
  readonly #cleanups: (() => unknown)[] = []
  #primary: Primary | undefined
  #address = '127.0.0.1:0'
  /** What nodes are started with from now on. */
  keks: { readonly kek: Kek; readonly previousKeks?: readonly Kek[] } = { kek: KEK }
  /** What the primary's configuration lists now; `primary.reload()` takes it over. */
  peers: PeerEntry[]

  private constructor(options: ClusterOptions) {
    this.#options = options
    this.peers = [
      peerEntry('operator', { role: 'operator' }),
      peerEntry('acme', { role: 'signer', orgs: ['acme'] }),
      peerEntry('globex', { role: 'signer', orgs: ['globex'] }),
      peerEntry('worker', { role: 'worker' }),
      ...(options.regions ?? ['fra']).map((region) => peerEntry(region, { role: 'replica', region })),
    ]
  }

  /** Nothing runs yet. Everything is stopped when the test is over. */
  static create(options: ClusterOptions = {}): Cluster {
    const cluster = new Cluster(options)
    onTestFinished(() => cluster.stop())
    return cluster
  }

  /** A primary, its replicas, all of them connected, and writes open. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = Cluster.create(options)
    await cluster.startPrimary()
    for (const region of options.regions ?? ['fra']) await cluster.startReplica(region)
    await until(() => cluster.primary.writes === 'open', 'writes are open')
    for (const region of options.regions ?? ['fra']) await cluster.caughtUp(region)
    return cluster
  }

  get primary(): Primary {
    if (this.#primary === undefined) throw new Error('the primary does not run')
    return this.#primary
  }

  get primaryFolder(): string {
    return join(this.folder, 'primary')
  }

  replica(region: string = 'fra'): Replica {
    const replica = this.#replicas.get(region)
    if (replica === undefined) throw new Error(`no replica runs in ${region}`)
    return replica
  }

  replicaFolder(region: string = 'fra'): string {
    return join(this.folder, region)
  }

  primaryConfig(): PrimaryConfig {
    const config = {
      cluster: CLUSTER,
      data: this.primaryFolder,
      identity: 'unused',
      listen: this.#address,
      kek: { env: 'UNUSED' },
      peers: this.peers,
      // An archive is a witness of its own: what replicas alone bring about shows without one.
      archive: { enabled: false },
      // As a cluster is made for each test.
      disk: { reserve_mb: 0.5 },
      ...this.#options.primary,
    }
    return checkConfig('primary.toml', config, primaryConfig)
  }

  async startPrimary(changes: Partial<PrimaryConfig> = {}, flags: PrimaryFlags = NO_FLAGS): Promise<Primary> {
    const config = { ...this.primaryConfig(), ...changes }
    const reread = (): PrimaryConfig => ({ ...config, peers: this.peers })
    const { host } = this.#options
    const machine = host === undefined ? {} : { host }
    const own = { config, identity: identityOf('primary'), flags, reread }
    const options = { ...own, ...this.keks, log: silentLog, ...machine }
    this.#primary = await Primary.start(options)
    this.#address = this.#primary.address
    for (const proxy of this.#proxies.values()) proxy.aim(this.#address)
    return this.#primary
  }

  async stopPrimary(): Promise<void> {
    const primary = this.#primary
    this.#primary = undefined
    await primary?.stop()
  }

  async proxy(region: string = 'fra'): Promise<Proxy> {
    const known = this.#proxies.get(region)
    if (known !== undefined) return known
    const proxy = await Proxy.start(this.#address)
    this.#proxies.set(region, proxy)
    return proxy
  }

  async startReplica(region: 'fra' | 'sin' = 'fra', changes: Partial<ReplicaConfig> = {}): Promise<Replica> {
    const proxy = await this.proxy(region)
    const config = checkConfig(
      'replica.toml',
      {
        cluster: CLUSTER,
        region,
        data: this.replicaFolder(region),
        identity: 'unused',
        listen: '127.0.0.1:0',
        primary: { address: proxy.address, peer_id: identityOf('primary').peerId },
        kek: { env: 'UNUSED' },
        peers: [peerEntry('operator', { role: 'operator' }), peerEntry('worker', { role: 'worker' })],
        ...this.#options.replica,
        ...changes,
      },
      replicaConfig,
    )
    const options = { config, identity: identityOf(region), ...this.keks, log: silentLog, reread: () => config }
    const replica = await Replica.start(options)
    this.#replicas.set(region, replica)
    return replica
  }

  async stopReplica(region: string = 'fra'): Promise<void> {
    const replica = this.#replicas.get(region)
    this.#replicas.delete(region)
    await replica?.stop()
  }

  async signer(who: Who = 'operator', timeoutMs: number = 5_000): Promise<Signer> {
    const primary = { address: this.primary.address, peerId: identityOf('primary').peerId }
    const signer = await createSigner({ cluster: CLUSTER, identity: seedOf(who), primary, timeoutMs })
    this.#cleanups.push(() => signer.close())
    return signer
  }

  /** Without a cache: every verdict is this replica's. */
  async verifier(region: 'fra' | 'sin' = 'fra'): Promise<Verifier> {
    const node = { address: this.replica(region).address, peerId: identityOf(region).peerId }
    const options = { cluster: CLUSTER, identity: seedOf('worker'), replicas: [node], timeoutMs: 5_000, cache: false }
    const verifier = await createVerifier(options)
    this.#cleanups.push(() => verifier.close())
    return verifier
  }

  /** A profile file for the command line. */
  async profile(who: Who = 'operator'): Promise<string> {
    const identity = join(this.folder, `${who}.key`)
    const entropy = { bytes: () => Buffer.from(seedOf(who)), uniform: () => 0 }
    if (!existsSync(identity)) await createIdentityFile(identity, entropy)
    const replicas = [...this.#replicas].map(([region, { address }]) => {
      return { region, address, peer_id: identityOf(region as Who).peerId }
    })
    const primary = { address: this.primary.address, peer_id: identityOf('primary').peerId }
    const file = join(this.folder, `${who}.toml`)
    writeFileSync(file, stringify({ cluster: CLUSTER, identity, primary, replicas }))
    return file
  }

  /** A bare connection to the primary, for what no client of ours would send. */
  async dialPrimary(who: Who, channel: ChannelName, hello: JsonObject = {}): Promise<Connection> {
    return this.#dial(this.primary.address, 'primary', { who, channel, hello })
  }

  async dialReplica(who: Who, channel: ChannelName, region: 'fra' | 'sin' = 'fra'): Promise<Connection> {
    return this.#dial(this.replica(region).address, region, { who, channel, hello: {} })
  }

  async primaryStatus(): Promise<PrimaryStatus> {
    return (await this.#status(await this.dialPrimary('operator', 'admin'))) as PrimaryStatus
  }

  async replicaStatus(region: 'fra' | 'sin' = 'fra'): Promise<ReplicaStatus> {
    return (await this.#status(await this.dialReplica('operator', 'admin', region))) as ReplicaStatus
  }

  /** Until the replica has applied all that the primary had committed when this was called, and holds a lease if any is given. */
  async caughtUp(region: 'fra' | 'sin' = 'fra', timeoutMs: number = 15_000): Promise<void> {
    const { position, writes } = await this.primaryStatus()
    const reached = async (): Promise<boolean> => {
      const { position: at, freshness } = await this.replicaStatus(region)
      if (writes === 'open' && freshness.leaseMs === 0) return false
      return at !== null && at.split('.').slice(0, 2).join('.') >= position.split('.').slice(0, 2).join('.')
    }
    await until(reached, `${region} reaches ${position}`, timeoutMs)
  }

  async stop(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0)) await cleanup()
    for (const region of this.#replicas.keys()) await this.stopReplica(region)
    await this.stopPrimary()
    for (const proxy of this.#proxies.values()) await proxy.stop()
    this.#proxies.clear()
  }

  async #dial(
    address: string,
    server: Who,
    { who, channel, hello }: { readonly who: Who; readonly channel: ChannelName; readonly hello: JsonObject },
  ): Promise<Connection> {
    const { peerId } = identityOf(server)
    const connection = await dial({ address, peerId, identity: identityOf(who), channel, cluster: CLUSTER, hello })
    this.#cleanups.push(() => connection.abort(new Error('the test is over')))
    return connection
  }

  async #status(connection: Connection): Promise<unknown> {
    const client = new RpcClient(connection)
    const status = await client.call('status', {})
    await client.close()
    return status
  }
}

/** The file's bytes; only while no node of this process has it open, because reading it here would drop SQLite's locks. */
export function closedFile(folder: string): Buffer {
  return readFileSync(join(folder, 'macaroond.db'))
}

/** The code of the error that a promise rejects with; anything else fails the test. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
  return 'no error'
}
