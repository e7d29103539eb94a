/** Which verifications were answered `unavailable` although their replica could have judged: what fails around a cluster is no excuse. */
import type { HistoryEvent, VerifyEvent } from '../../history/event.ts'

/** Until then the pages with the key of a new org have come to every replica. */
const KNOWN_AFTER_MS = 2_000
/** Services have heard of the new lease of their replica. */
const SETTLED_MS = 1_000

/** `sinceMs`: when every service had been answered for the first time. */
export function unanswered(events: readonly HistoryEvent[], sinceMs: number): readonly VerifyEvent[] {
  const known = new Map(events.flatMap((event) => (event.t === 'mint' ? [[event.id, event.ret + KNOWN_AFTER_MS]] : [])))
  const stops = events.filter((event) => event.t === 'fault' && event.kind === 'killed' && event.target === 'primary')
  const stopped = ({ inv, ret }: VerifyEvent): boolean =>
    stops.some((stop) => stop.t === 'fault' && stop.from <= ret && inv <= stop.until + SETTLED_MS)
  return events.filter(
    (event): event is VerifyEvent =>
      event.t === 'verify' &&
      event.result === 'unavailable' &&
      event.inv >= Math.max(sinceMs, known.get(event.id ?? '') ?? 0) &&
      !stopped(event),
  )
}

/** How often for which reason at whom, with the first of each: for whoever reads that there were some. */
export function causesOf(missing: readonly VerifyEvent[], sinceMs: number): readonly string[] {
  const causes = Map.groupBy(missing, ({ proc, why = '' }) => `${proc}: ${why.replaceAll(/\d+/g, 'N')}`)
  return [...causes].map(([cause, events]) => {
    const [first, last] = [events[0], events.at(-1)].map((event) => (((event?.inv ?? 0) - sinceMs) / 1_000).toFixed(1))
    return `${events.length} of ${cause} (from ${first} to ${last} s)`
  })
}
