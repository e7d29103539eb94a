/** What a history says of each revocation: from when on it binds, and whom it binds. */
import type { HistoryEvent, RevokeEvent, VerifyEvent } from './event.ts'

export interface Binding {
  readonly id: string
  /** Acknowledged; or, where the answer was not known, first shown by a node. Infinity: never known to be carried out. */
  readonly ackMs: number
  /** No token may be refused as revoked before this. */
  readonly begunMs: number
  /** After this nothing at all may accept: the return of `--wait global`. */
  readonly globalMs: number
}

export interface Lineage {
  /** Ids whose revocation ends this one: itself and its ancestors. */
  readonly endedBy: (id: string) => readonly string[]
  readonly minted: (id: string) => boolean
}

export function lineageOf(events: readonly HistoryEvent[]): Lineage {
  const ancestors = new Map<string, readonly string[]>()
  for (const event of events) if (event.t === 'mint') ancestors.set(event.id, event.ancestors)
  return {
    endedBy: (id) => [id, ...(ancestors.get(id) ?? [])],
    minted: (id) => ancestors.has(id),
  }
}

/** An answer that nobody got may mean either; the first node that refuses the token as revoked settles it. */
export function bindingsOf(events: readonly HistoryEvent[]): ReadonlyMap<string, Binding> {
  const shown = firstShown(events)
  const bindings = new Map<string, Binding>()
  for (const event of events) {
    if (event.t !== 'revoke' || event.result === 'refused') continue
    bindings.set(event.id, joined(bindings.get(event.id), bindingOf(event, shown)))
  }
  return bindings
}

function bindingOf(event: RevokeEvent, shown: ReadonlyMap<string, number>): Binding {
  const { id, inv, ret, wait, result } = event
  const ackMs = result === 'ok' ? ret : (shown.get(id) ?? Infinity)
  return { id, begunMs: inv, ackMs, globalMs: result === 'ok' && wait === 'global' ? ret : Infinity }
}

function joined(before: Binding | undefined, now: Binding): Binding {
  if (before === undefined) return now
  const earliest = (key: 'ackMs' | 'begunMs' | 'globalMs'): number => Math.min(before[key], now[key])
  return { id: now.id, ackMs: earliest('ackMs'), begunMs: earliest('begunMs'), globalMs: earliest('globalMs') }
}

function firstShown(events: readonly HistoryEvent[]): ReadonlyMap<string, number> {
  const shown = new Map<string, number>()
  for (const event of events) {
    if (event.t !== 'verify' || event.id === undefined || event.reason !== 'revoked') continue
    shown.set(event.id, Math.min(shown.get(event.id) ?? Infinity, event.ret))
  }
  return shown
}

/** Of all that ends a token, the earliest of one kind of moment. */
export function endOf(
  event: VerifyEvent,
  lineage: Lineage,
  bindings: ReadonlyMap<string, Binding>,
  moment: 'ackMs' | 'begunMs' | 'globalMs',
): number {
  if (event.id === undefined) return Infinity
  return Math.min(...lineage.endedBy(event.id).map((id) => bindings.get(id)?.[moment] ?? Infinity))
}
