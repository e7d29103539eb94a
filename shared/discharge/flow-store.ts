/**
 * Stores flows: requests for a discharge that are not decided yet, or not collected yet. It keeps only hashes of the secrets
 * and no caveat key, so somebody who reads the store can neither poll, nor decide, nor make a discharge.
 */
import { DISCHARGE_FLOWS_MAX } from '../limits.ts'

export interface Flow {
  /** SHA-256 of the secret that decides the flow, hex. */
  readonly flowHash: string
  /** SHA-256 of the secret that polls the flow, hex. */
  readonly pollHash: string
  /** Base64url without padding. */
  readonly ticket: string
  /** Unix milliseconds. */
  readonly expiresAtMs: number
}

export type FlowOutcome = { readonly caveats: readonly string[] } | { readonly refused: string }

export interface SettledFlow {
  readonly ticket: string
  readonly outcome: FlowOutcome
}

/** An implementation on a shared database lets several processes serve one location. `nowMs` is unix milliseconds. */
export interface FlowStore {
  /** False if the store is full. An older flow is never dropped for a newer one. */
  readonly add: (flow: Flow, nowMs: number) => Promise<boolean>
  /** False if the flow is unknown, expired, or already decided. */
  readonly settle: (flowHash: string, outcome: FlowOutcome, nowMs: number) => Promise<boolean>
  /** Removes and returns a decided flow. This must be atomic: two concurrent polls must not both get the discharge. */
  readonly take: (pollHash: string, nowMs: number) => Promise<SettledFlow | 'pending' | undefined>
}

interface Kept extends Flow {
  outcome?: FlowOutcome
}

/** Keeps flows in the memory of this process. A restart loses them. */
export class MemoryFlowStore implements FlowStore {
  readonly #byPoll = new Map<string, Kept>()
  readonly #byFlow = new Map<string, Kept>()
  readonly #flowsMax: number

  constructor(flowsMax: number = DISCHARGE_FLOWS_MAX) {
    this.#flowsMax = flowsMax
  }

  get size(): number {
    return this.#byPoll.size
  }

  async add(flow: Flow, nowMs: number): Promise<boolean> {
    this.#dropExpired(nowMs)
    if (this.#byPoll.size >= this.#flowsMax) return false
    const kept = { ...flow }
    this.#byPoll.set(flow.pollHash, kept)
    this.#byFlow.set(flow.flowHash, kept)
    return true
  }

  async settle(flowHash: string, outcome: FlowOutcome, nowMs: number): Promise<boolean> {
    const flow = this.#byFlow.get(flowHash)
    if (flow === undefined || flow.outcome !== undefined || flow.expiresAtMs <= nowMs) return false
    flow.outcome = outcome
    return true
  }

  async take(pollHash: string, nowMs: number): Promise<SettledFlow | 'pending' | undefined> {
    const flow = this.#byPoll.get(pollHash)
    if (flow === undefined || flow.expiresAtMs <= nowMs) return undefined
    if (flow.outcome === undefined) return 'pending'
    this.#drop(flow)
    return { ticket: flow.ticket, outcome: flow.outcome }
  }

  /** Drops expired flows up to the first that has not expired. Insertion order is nearly expiry order, so few stay longer. */
  #dropExpired(nowMs: number): void {
    for (const flow of this.#byPoll.values()) {
      if (flow.expiresAtMs > nowMs) return
      this.#drop(flow)
    }
  }

  #drop(flow: Flow): void {
    this.#byPoll.delete(flow.pollHash)
    this.#byFlow.delete(flow.flowHash)
  }
}
