/** Computes durations and shares of answers from a history. They are figures beside the verdict, not rules of it. */
import { EMPTY, type Histogram, histogramOf, sumOf } from './histogram.ts'
import type { FaultEvent, HistoryEvent, MintEvent, VerifyEvent } from './event.ts'

export interface Times {
  /** For each fault and service that it touched: from its end to the first token that the service accepted (V2). */
  readonly catchUp: Histogram
  /** For each fault of the primary: from its beginning, in which it may be away for a while, to the first write after it. */
  readonly writesBack: Histogram
  /** Verifications while a fault lasted that touched neither their region nor the primary (V4). */
  readonly elsewhere: Elsewhere
}

export interface Elsewhere {
  readonly asked: number
  readonly answered: number
}

export const NO_TIMES: Times = { catchUp: EMPTY, writesBack: EMPTY, elsewhere: { asked: 0, answered: 0 } }

const PRIMARY = 'primary'

export function timesOf(events: readonly HistoryEvent[]): Times {
  const faults = events.filter((event) => event.t === 'fault')
  const services = Map.groupBy(
    events.filter((event) => event.t === 'verify').toSorted((a, b) => a.inv - b.inv),
    ({ proc }) => proc,
  )
  const writes = events.filter((event) => event.t === 'mint').toSorted((a, b) => a.inv - b.inv)
  return {
    catchUp: histogramOf(faults.flatMap((fault) => catchUps(fault, faults, [...services.values()]))),
    writesBack: histogramOf(
      faults.filter(({ target }) => target === PRIMARY).flatMap((fault) => writesBack(fault, writes)),
    ),
    elsewhere: elsewhereOf(faults, [...services.values()].flat()),
  }
}

function touches({ target }: FaultEvent, { region, host, proc }: VerifyEvent): boolean {
  return target === PRIMARY || target === region || target === host || target === proc
}

/** A service that another fault touches by then is waiting for the end of that one. */
function catchUps(
  fault: FaultEvent,
  faults: readonly FaultEvent[],
  services: readonly (readonly VerifyEvent[])[],
): readonly number[] {
  return services.flatMap((calls) => {
    const [any] = calls
    if (any === undefined || !touches(fault, any)) return []
    const { until } = fault
    const others = faults.filter((other) => other !== fault && touches(other, any))
    if (others.some((other) => other.from <= until && until < other.until)) return []
    const first = calls.find(({ inv, result }) => inv >= until && result === 'allow')
    return first === undefined ? [] : [first.ret - until]
  })
}

function writesBack({ from, until }: FaultEvent, writes: readonly MintEvent[]): readonly number[] {
  const first = writes.find(({ inv }) => inv >= until)
  return first === undefined ? [] : [first.ret - from]
}

function elsewhereOf(faults: readonly FaultEvent[], calls: readonly VerifyEvent[]): Elsewhere {
  const meanwhile = calls.filter((call) => {
    const during = faults.filter(({ from, until }) => from <= call.inv && call.inv <= until)
    return during.length > 0 && !during.some((fault) => touches(fault, call))
  })
  return { asked: meanwhile.length, answered: meanwhile.filter(({ result }) => result !== 'unavailable').length }
}

export function joinedTimes(a: Times, b: Times): Times {
  return {
    catchUp: sumOf(a.catchUp, b.catchUp),
    writesBack: sumOf(a.writesBack, b.writesBack),
    elsewhere: {
      asked: a.elsewhere.asked + b.elsewhere.asked,
      answered: a.elsewhere.answered + b.elsewhere.answered,
    },
  }
}
