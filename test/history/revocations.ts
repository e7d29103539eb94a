/** Derives from a history the time from which each revocation binds, and the tokens that it binds. */
import { FALLEN, type ForgetEvent, type HistoryEvent, type MintEvent, type Named, type RevokeEvent } from './event.ts'

export interface Moments {
  /** Acknowledged; or, where the answer was not known, first shown by a node. Infinity: never known to be carried out. */
  readonly ackMs: number
  /** No token may be refused as revoked before this. */
  readonly begunMs: number
  /** After this nothing at all may accept: the return of `--wait global`. */
  readonly globalMs: number
}

export interface Endings {
  /**
   * Of all that ends a token, the earliest of each kind of moment; also for a token that nobody minted. `atMs`: without what an
   * operator had given up by then.
   */
  readonly of: (id: string | undefined, atMs?: number) => Moments
  /** Whether an operator gave up something that ends a token, between these moments. */
  readonly forgotten: (id: string | undefined, fromMs: number, untilMs: number) => boolean
  readonly minted: (id: string) => boolean
}

const NEVER: Moments = { ackMs: Infinity, begunMs: Infinity, globalMs: Infinity }

export function endingsOf(events: readonly HistoryEvent[]): Endings {
  const mints = new Map(events.filter((event) => event.t === 'mint').map((event) => [event.id, event]))
  const calls = Map.groupBy(events.filter(isCarriedOut), ({ named }) => nameOf(named))
  const enders = endersBy(mints, calls)
  const shown = firstShown(events, enders)
  const moments = new Map([...calls].map(([name, group]) => [name, momentsOf(group, shown.get(name) ?? Infinity)]))
  const ends = remembered((id) => enders(id).reduce((first, name) => earlier(first, moments.get(name)), NEVER))
  const forgets = events.filter((event) => event.t === 'forget')
  const of = (id: string | undefined, atMs?: number): Moments => {
    if (id === undefined) return NEVER
    const given = atMs === undefined ? [] : forgets.filter(({ inv }) => inv <= atMs)
    if (given.length === 0) return ends(id)
    const left = enders(id).map((name) => {
      const group = (calls.get(name) ?? []).filter((call) => !isForgotten(call, given))
      return group.length === 0 ? NEVER : momentsOf(group, shown.get(name) ?? Infinity)
    })
    return left.reduce((first, one) => earlier(first, one), NEVER)
  }
  const forgotten: Endings['forgotten'] = (id, fromMs, untilMs) => {
    const between = forgets.filter(({ inv }) => inv >= fromMs && inv <= untilMs).map(({ named }) => nameOf(named))
    return id !== undefined && enders(id).some((name) => between.includes(name))
  }
  return { of, forgotten, minted: (id) => mints.has(id) }
}

function isForgotten(call: RevokeEvent, forgets: readonly ForgetEvent[]): boolean {
  return forgets.some(({ named, inv }) => call.inv < inv && nameOf(named) === nameOf(call.named))
}

/** The same revocation, asked for again, has the same name. */
export function nameOf(named: Named): string {
  return Object.values(named).join(' ')
}

function isCarriedOut(event: HistoryEvent): event is RevokeEvent {
  return event.t === 'revoke' && event.result !== 'refused'
}

type Calls = ReadonlyMap<string, readonly RevokeEvent[]>
type Enders = (id: string) => readonly string[]

/** Names of the revocations that end a token: those that hit it, or one of the tokens it was made from. */
function endersBy(mints: ReadonlyMap<string, MintEvent>, calls: Calls): Enders {
  return remembered((id) => {
    const lineage = [id, ...(mints.get(id)?.ancestors ?? [])]
    const hitting = [...calls].filter(([, [call]]) => call !== undefined && hitsOne(call.named, lineage, mints))
    return hitting.map(([name]) => name)
  })
}

function hitsOne(named: Named, ids: readonly string[], mints: ReadonlyMap<string, MintEvent>): boolean {
  if (named.kind === 'token') return ids.includes(named.id)
  return ids.some((id) => {
    const mint = mints.get(id)
    return mint !== undefined && hits(named, mint)
  })
}

function hits(named: Exclude<Named, { kind: 'token' }>, { org, subject, kid, issuedMs }: MintEvent): boolean {
  if (named.kind === 'key') return named.kid === kid
  if (named.org !== org) return false
  if (named.kind === 'disabled') return true
  if (issuedMs > named.untilMs) return false
  return named.kind === 'org' || named.subject === subject
}

function momentsOf(calls: readonly RevokeEvent[], shownMs: number): Moments {
  return calls.reduce((first, { inv, ret, wait, result }) => {
    const ackMs = result === 'unpromised' ? Infinity : result === 'ok' ? ret : shownMs
    return earlier(first, { begunMs: inv, ackMs, globalMs: result === 'ok' && wait === 'global' ? ret : Infinity })
  }, NEVER)
}

function earlier(one: Moments, other: Moments = NEVER): Moments {
  const earliest = (key: keyof Moments): number => Math.min(one[key], other[key])
  return { ackMs: earliest('ackMs'), begunMs: earliest('begunMs'), globalMs: earliest('globalMs') }
}

/**
 * An answer that nobody got may mean either; the first node that refuses what nothing else ends settles it. A token that
 * two revocations end tells nothing of either.
 */
function firstShown(events: readonly HistoryEvent[], enders: Enders): ReadonlyMap<string, number> {
  const shown = new Map<string, number>()
  for (const event of events) {
    if (event.t !== 'verify' || event.id === undefined || !FALLEN.has(event.reason)) continue
    const [name, ...others] = enders(event.id)
    if (name !== undefined && others.length === 0) shown.set(name, Math.min(shown.get(name) ?? Infinity, event.ret))
  }
  return shown
}

function remembered<T>(compute: (id: string) => T): (id: string) => T {
  const known = new Map<string, T>()
  return (id) => {
    const value = known.get(id) ?? compute(id)
    known.set(id, value)
    return value
  }
}
