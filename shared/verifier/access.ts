/**
 * What a caller wants to do, checked and copied once. Together with what the verifying node states itself it makes the
 * facts that caveats are judged by.
 */
import {
  ACCESS_KEY_CHARS_MAX,
  ACCESS_KEYS_MAX,
  ACCESS_VALUE_CHARS_MAX,
  LIST_ITEMS_MAX,
  ORG_CHARS_MAX,
} from '../limits.ts'
import { isKey } from '../macaroon/predicate/clause.ts'
import { isRefused, type Refused, refused } from './verdict.ts'

/**
 * `org` is mandatory; other keys are what caveats speak of (`op`, `path`, `ip`, `chunk`, an application's own …). A list
 * asks for all of its values at once; `100..200` asks for a range.
 */
export interface Access {
  readonly org: string
  readonly [key: string]: string | readonly string[]
}

/** What the verifying node knows by itself. */
export interface Context {
  /** The earliest time it may be, unix milliseconds. */
  readonly nowEarliestMs: number
  /** The latest credible time, unix milliseconds; equal to the earliest where the clock is trusted. */
  readonly nowLatestMs: number
  readonly region?: string
  /** Authenticated identity of whoever presented the token, from the node that ended that connection. */
  readonly peer?: string
  /** Age of the state that is judged by. */
  readonly stalenessMs?: number
}

/** What caveats are judged by. */
export interface ForeignFacts {
  /** A Map: the keys are the caller's, and `__proto__` is one like any other. */
  readonly values: ReadonlyMap<string, readonly string[]>
  readonly nowEarliestMs: number
  readonly nowLatestMs: number
  readonly stalenessMs: number | undefined
}

export interface Facts extends ForeignFacts {
  readonly org: string
}

/** Reserved for what a discharge says; a value of the access by that name would seem to be judged by it. */
const DISCHARGE_KEYS: ReadonlySet<string> = new Set(['tenant', 'presented', 'unrevoked'])

/** Stated by the node. From a caller they would let it choose its own time, place or identity. */
const NODE_KEYS: ReadonlySet<string> = new Set(['time', 'region', 'staleness', 'peer'])

/** The facts, or `org_missing` or `access_malformed`. Takes anything; reads each property once. */
export function readFacts(access: unknown, context: Context): Facts | Refused {
  const facts = readForeignFacts(access, context)
  if (isRefused(facts)) return facts
  const org = facts.values.get('org')
  if (org === undefined) return refused('org_missing', 'the access names no org')
  const [name = '', another] = org
  if (another !== undefined || name.length > ORG_CHARS_MAX) return malformed('it names one org, within the limits')
  return { org: name, ...facts }
}

/** The same without an org: for macaroons of services that have none. */
export function readForeignFacts(access: unknown, context: Context): ForeignFacts | Refused {
  try {
    return factsOf(access as Readonly<Record<string, unknown>>, context)
  } catch {
    // null, a revoked proxy, a getter that throws: whatever it is, it is no access.
    return malformed('it is not an object of keys and values')
  }
}

function factsOf(access: Readonly<Record<string, unknown>>, context: Context): ForeignFacts | Refused {
  const keys = Object.keys(access)
  if (keys.length > ACCESS_KEYS_MAX) return malformed(`it has more than ${ACCESS_KEYS_MAX} keys`)
  const values = new Map<string, readonly string[]>()
  for (const key of keys) {
    const fault = keyFault(key)
    if (fault !== undefined) return malformed(fault)
    const asked = askedValues(access[key])
    if (asked === undefined) return malformed(`the value of ${key} is not text, or a list of texts, within the limits`)
    values.set(key, asked)
  }
  return { values: withNodeValues(values, context), ...timesOf(context) }
}

function keyFault(key: string): string | undefined {
  if (key.length > ACCESS_KEY_CHARS_MAX || !isKey(key)) return 'it has a key that no caveat could speak of'
  if (DISCHARGE_KEYS.has(key)) return `${key} is for discharges to say, not for the caller`
  return NODE_KEYS.has(key) ? `${key} is stated by the verifying node, not by the caller` : undefined
}

/**
 * An empty list would be allowed by every caveat, and an absent value would switch a conditional caveat off, so neither
 * passes for "nothing asked".
 */
function askedValues(value: unknown): readonly string[] | undefined {
  const asked: readonly unknown[] = Array.isArray(value) ? Array.from(value) : [value]
  if (asked.length === 0 || asked.length > LIST_ITEMS_MAX) return undefined
  return asked.every(isValue) ? asked : undefined
}

function isValue(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= ACCESS_VALUE_CHARS_MAX
}

function withNodeValues(
  values: Map<string, readonly string[]>,
  { region, peer }: Context,
): Map<string, readonly string[]> {
  if (region !== undefined) values.set('region', [region])
  if (peer !== undefined) values.set('peer', [peer])
  return values
}

function timesOf({ nowEarliestMs, nowLatestMs, stalenessMs }: Context): Omit<ForeignFacts, 'values'> {
  return { nowEarliestMs, nowLatestMs, stalenessMs }
}

function malformed(why: string): Refused {
  return refused('access_malformed', `the access is malformed: ${why}`)
}
