/**
 * Revocations that a restore has undone, with every node a process of its own: the nodes that still refuse, and the operator's
 * decisions.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { Signer } from '../../../primary/signer/sdk.ts'
import { Cluster, type NodeFiles } from '../../chaos/cluster.ts'
import type { NodeProcess } from '../../chaos/node-process.ts'
import { commandLine } from '../../integration/cli/command.ts'
import { entriesOf } from './damage.ts'

const READY_MS = 20_000
const POLL_MS = 50

async function until(what: string, met: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_MS
  while (!(await met().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`)
    await setTimeout(POLL_MS)
  }
}

class Processes {
  readonly cluster: Cluster
  readonly #running = new Map<NodeFiles, NodeProcess>()

  private constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  static async start(): Promise<Processes> {
    const primarySettings = (root: string): string =>
      `[archive]\nto = "${join(root, 'archive')}"\nupload_every_ms = 20\n`
    const cluster = await Cluster.create({ replicas: ['fra', 'sin'], primarySettings })
    onTestFinished(() => cluster.remove(false))
    const processes = new Processes(cluster)
    await processes.startAll()
    return processes
  }

  get archive(): string {
    return join(this.cluster.root, 'archive')
  }

  async startAll(): Promise<void> {
    await this.start(this.cluster.primary, ...this.cluster.replicas)
    await until('writes are open', async () => (await this.cluster.primaryStatus()).writes === 'open')
    await this.caughtUp()
  }

  async start(...nodes: readonly NodeFiles[]): Promise<void> {
    for (const node of nodes) {
      const process = this.cluster.start(node)
      this.#running.set(node, process)
      if (!(await process.ready(READY_MS))) throw new Error(`${node.name} ended:\n${process.log.join('\n')}`)
    }
  }

  async stop(...nodes: readonly NodeFiles[]): Promise<void> {
    for (const node of nodes) {
      this.#running.get(node)?.signal('SIGTERM')
      expect(await this.#running.get(node)?.ended).toEqual({ code: 0, signal: null })
    }
  }

  async stopAll(): Promise<void> {
    await this.stop(...this.cluster.replicas, this.cluster.primary)
  }

  async archived(): Promise<void> {
    await until('everything is archived', async () => (await this.cluster.primaryStatus()).archive?.lag === 0)
  }

  /** Both have the pages, durably, and a lease for them. */
  async caughtUp(): Promise<void> {
    const { cluster } = this
    await until('both replicas have caught up', async () => {
      const { position, replicas } = await cluster.primaryStatus()
      const theirs = await Promise.all(cluster.replicas.map((replica) => cluster.replicaStatus(replica)))
      const areSame = theirs.every((one) => one.position === position && (one.freshness.leaseMs ?? 0) > 0)
      return areSame && replicas.every(({ lag }) => lag === 0)
    })
  }

  /** The primary's disk is gone: what is restored from the archive, with nobody asked, takes its place. */
  async restored(archive: string, key: string): Promise<string> {
    const { primary, root } = this.cluster
    const output = join(root, 'restored.db')
    const args = ['--archive', archive, '--key', key, '--output', output, '--accept-head']
    const { status, stdout, stderr } = await commandLine(['restore', ...args])
    expect(status, stderr).toBe(0)
    for (const lost of [primary.data, this.archive]) rmSync(lost, { recursive: true })
    mkdirSync(primary.data, { mode: 0o700 })
    cpSync(output, primary.database)
    return stdout + stderr
  }

  verdicts(token: string): Promise<readonly string[]> {
    const { cluster } = this
    return Promise.all(
      cluster.replicas.map(async (replica) => {
        const verdict = await (await cluster.verifier(replica)).verify(token, { org: 'acme' })
        return verdict.ok ? 'accepted' : verdict.reason
      }),
    )
  }
}

async function minted(signer: Signer, subject: string): Promise<string> {
  return (await signer.mint({ org: 'acme', subject })).token
}

test('a token that a restore made valid stays refused in every region, over two restarts', async () => {
  const nodes = await Processes.start()
  const { cluster } = nodes
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const [revoked, good] = [await minted(signer, 'mallory'), await minted(signer, 'alice')]
  await nodes.archived()
  const copy = join(cluster.root, 'copy')
  cpSync(nodes.archive, copy, { recursive: true })
  await signer.revoke({ token: revoked, wait: 'global' })
  await nodes.caughtUp()
  const { authorityKey } = await cluster.primaryStatus()
  await nodes.stopAll()
  await nodes.restored(copy, authorityKey)

  await nodes.startAll()
  for (let restarts = 0; restarts <= 2; restarts += 1) {
    expect(await nodes.verdicts(revoked), `after ${restarts} restarts`).toEqual(['revoked', 'revoked'])
    expect(await nodes.verdicts(good)).toEqual(['accepted', 'accepted'])
    await nodes.stop(...cluster.replicas)
    await nodes.start(...cluster.replicas)
    await nodes.caughtUp()
  }
}, 180_000)

test('revocations in files that no entry names are shown, refuse nothing, and await an operator', async () => {
  const nodes = await Processes.start()
  const { cluster } = nodes
  const signer = await cluster.signer()
  await signer.createOrg('acme')
  const [adopted, forgotten] = [await minted(signer, 'mallory'), await minted(signer, 'alice')]
  await nodes.archived()
  const named = new Set(entriesOf(nodes.archive))
  for (const token of [adopted, forgotten]) await signer.revoke({ token, reason: 'stolen' })
  await nodes.archived()
  const { authorityKey } = await cluster.primaryStatus()
  await nodes.stopAll()
  const copy = join(cluster.root, 'copy')
  for (const entry of entriesOf(nodes.archive)) if (!named.has(entry)) rmSync(entry)
  cpSync(nodes.archive, copy, { recursive: true })
  const said = await nodes.restored(copy, authorityKey)
  expect(said).toMatch(/lie in the archive without an entry/)
  expect(said).toMatch(
    /UNSIGNED: .*from files without an entry: 2; they wait for `macaroond revocations adopt\|forget`/,
  )
  // Replicas that know of nothing: those that do would have it adopted.
  for (const { data } of cluster.replicas) rmSync(data, { recursive: true })

  await nodes.startAll()
  expect([await nodes.verdicts(adopted), await nodes.verdicts(forgotten)]).toEqual(
    Array(2).fill(Array(2).fill('accepted')),
  )
  const again = await cluster.signer()
  const { revocations, waiting } = await again.pendingRevocations({ limit: 10 })
  const one = { why: 'unsigned', replicas: ['restore'], kind: 'token', org: 'acme', reason: 'stolen' }
  expect([waiting, revocations]).toMatchObject([2, [one, one]])
  expect((await cluster.primaryStatus()).alarms.map(({ code, about }) => `${code} ${about}`)).toContain(
    'denials_waiting restore',
  )
  const [first, second] = revocations.map(({ timeline, seq }) => ({ timeline, first: seq, last: seq }))
  await again.adoptRevocations({ ...first })
  await again.forgetRevocations({ ...second, reason: 'planted' })
  await until('both refuse it', async () => (await nodes.verdicts(adopted)).every((verdict) => verdict === 'revoked'))
  await nodes.stopAll()
  await nodes.startAll()
  expect(await nodes.verdicts(adopted)).toEqual(['revoked', 'revoked'])
  expect(await nodes.verdicts(forgotten)).toEqual(['accepted', 'accepted'])
  expect(await (await cluster.signer()).pendingRevocations({ limit: 10 })).toEqual({ revocations: [], waiting: 0 })
}, 180_000)
