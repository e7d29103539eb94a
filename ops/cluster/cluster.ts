/**
 * The running nodes of a cluster on this machine: start, kill, stop, and waiting until they serve. Each node is independent: if
 * one ends, the others run on, and nothing restarts it.
 */
import { setTimeout } from 'node:timers/promises'
import { systemClock } from '../../shared/clock.ts'
import { MacaroondError, reportOf } from '../../shared/errors.ts'
import { askStatus } from '../clients.ts'
import type { ClusterFolder, NodeSpec } from './folder.ts'
import { NodeProcess } from './node-process.ts'

/** A node starts in a second or two. The rest is for a slow machine on which all nodes start at once. */
const START_TIMEOUT_MS = 30_000
const POLL_MS = 20

/** The processes of one cluster folder. The owner must call `stop`, or the nodes run until this process ends. */
export class Cluster {
  readonly folder: ClusterFolder
  readonly #onDeath: (node: NodeSpec, how: string) => void
  readonly #running = new Map<string, NodeProcess>()

  /** `onDeath` is called for a node that ended by itself, not through `kill` or `stop`. */
  constructor(folder: ClusterFolder, onDeath: (node: NodeSpec, how: string) => void) {
    this.folder = folder
    this.#onDeath = onDeath
  }

  get nodes(): readonly NodeSpec[] {
    return [this.folder.primary, ...this.folder.replicas]
  }

  /** Undefined while the node is not running. */
  pidOf({ name }: NodeSpec): number | undefined {
    return this.#running.get(name)?.pid
  }

  /** Starts all nodes and waits until the cluster serves. Throws the first error; the caller then calls `stop`. */
  async start(): Promise<void> {
    // allSettled: after a failure the other starts must be over before the caller stops the cluster.
    const started = await Promise.allSettled(this.nodes.map((node) => this.startNode(node)))
    const failure = started.find((outcome) => outcome.status === 'rejected')
    if (failure !== undefined) throw failure.reason
    await this.untilServing()
  }

  /** Resolves when the node listens. It may not have caught up yet. */
  async startNode(node: NodeSpec): Promise<void> {
    const child = new NodeProcess(node)
    this.#running.set(node.name, child)
    void child.ended.then((how) => {
      // `kill` and `stop` remove the node first, so an end that was asked for is not reported as a death.
      if (this.#running.get(node.name) !== child) return
      this.#running.delete(node.name)
      this.#onDeath(node, how)
    })
    await child.ready()
  }

  /** Resolves when the primary takes writes and every running replica has all of them. Throws timeout. */
  async untilServing(): Promise<void> {
    const untilMs = systemClock.monotonicMs() + START_TIMEOUT_MS
    for (;;) {
      const missing = await this.#missing()
      if (missing === undefined) return
      if (systemClock.monotonicMs() >= untilMs) {
        throw new MacaroondError('timeout', `the cluster does not serve after ${START_TIMEOUT_MS} ms: ${missing}`, {
          hint: `the logs are in ${this.folder.path}`,
        })
      }
      await setTimeout(POLL_MS)
    }
  }

  /** Ends the node with SIGKILL, like a crash. */
  async kill(node: NodeSpec): Promise<void> {
    const child = this.#running.get(node.name)
    this.#running.delete(node.name)
    await child?.kill()
  }

  /** Stops all nodes, each in an orderly way. */
  async stop(): Promise<void> {
    const children = [...this.#running.values()]
    this.#running.clear()
    await Promise.all(children.map((child) => child.stop()))
  }

  /** The reason why the cluster does not serve yet, in words; undefined if it does. */
  async #missing(): Promise<string | undefined> {
    const { profile, replicas } = this.folder
    try {
      const status = await askStatus(profile, profile.primary)
      if (status.role !== 'primary') return 'the node at the primary’s address is not a primary'
      const behind = replicas
        .filter(({ name }) => this.#running.has(name))
        .filter(({ peerId }) => {
          const link = status.replicas.find((candidate) => candidate.peerId === peerId)
          return link === undefined || !link.wal || !link.revocations || link.lag !== 0
        })
      if (behind.length > 0) return `${behind.map(({ name }) => name).join(', ')} not caught up with the primary`
      return status.writes === 'open' ? undefined : `writes are ${status.writes}`
    } catch (error) {
      return reportOf(error).message
    }
  }
}
