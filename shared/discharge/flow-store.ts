/**
 * Discharges that were asked for and not decided yet. Only hashes of the secrets are kept, and no caveat key: who reads
 * the store can neither poll, nor decide, nor make a discharge.
 */
import { DISCHARGE_FLOWS_MAX } from '../limits.ts'

export interface Flow {
  /** Hash of the flow's name, by which it is decided; hex. */
  readonly flowHash: string
  /** Hash of the secret by which it is polled; hex. */
  readonly pollHash: string
  /** Base64url. */
  readonly ticket: string
  /** Unix milliseconds. */
  readonly expiresAtMs: number
}

export type FlowOutcome = { readonly caveats: readonly string[] } | { readonly refused: string }

export interface SettledFlow {
  readonly ticket: string
  readonly outcome: FlowOutcome
}

/** A shared one lets several processes serve one location. `nowMs` is unix milliseconds. */
export interface FlowStore {
  /** False when it is full: an older flow is never dropped for a newer one. */
  readonly add: (flow: Flow, nowMs: number) => Promise<boolean>
  /** False when there is no such flow, it ran out, or was decided before. */
  readonly settle: (flowHash: string, outcome: FlowOutcome, nowMs: number) => Promise<boolean>
  /** Takes a decided flow out, in one step: a poll secret gives one discharge, also to two polls at once. */
  readonly take: (pollHash: string, nowMs: number) => Promise<SettledFlow | 'pending' | undefined>
}

interface Kept extends Flow {
  outcome?: FlowOutcome
}

/** In this process; a restart forgets what was pending. */
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

  /** Insertion order is nearly the order of expiry: what stands behind the first one that lives is dropped later. */
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
