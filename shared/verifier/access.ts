/**
 * The access states what a caller wants to do. It is checked and copied once, before anything else reads it. The context has
 * the facts that the verifying node states itself. Caveats are judged by both together.
 */
import {
  ACCESS_CHARS_MAX,
  ACCESS_KEY_CHARS_MAX,
  ACCESS_KEYS_MAX,
  ACCESS_VALUE_CHARS_MAX,
  LIST_ITEMS_MAX,
  ORG_CHARS_MAX,
} from '../limits.ts'
import { AskedValue } from '../macaroon/predicate/asked-value.ts'
import { isKey } from '../macaroon/predicate/clause.ts'
import { isRefused, type Refused, refused } from './verdict.ts'

/**
 * `org` is mandatory. The other keys are those that caveats restrict: `op`, `path`, `ip`, `chunk`, or an application's own.
 * A list asks for all of its values at once, and `100..200` asks for the whole range.
 */
export interface Access {
  readonly org: string
  readonly [key: string]: string | readonly string[]
}

/** The facts that the verifying node states itself. */
export interface Context {
  /** The earliest credible time, unix milliseconds. */
  readonly nowEarliestMs: number
  /** The latest credible time, unix milliseconds. Equal to the earliest if the clock is trusted. */
  readonly nowLatestMs: number
  readonly region?: string
  /** Authenticated PeerId of the presenter of the token, from the node that terminated its connection. */
  readonly peer?: string
  /** Age of the node's keys and revocations, in milliseconds. */
  readonly stalenessMs?: number
}

/** The facts by which caveats are judged. */
export interface ForeignFacts {
  /** A Map, because the caller chooses the keys, and `__proto__` must be an ordinary one. */
  readonly values: ReadonlyMap<string, readonly AskedValue[]>
  readonly nowEarliestMs: number
  readonly nowLatestMs: number
  readonly stalenessMs: number | undefined
}

export interface Facts extends ForeignFacts {
  readonly org: string
}

/** Keys that only discharges use. In an access, such a value would seem to be checked although nothing checks it. */
const DISCHARGE_KEYS: ReadonlySet<string> = new Set(['tenant', 'presented', 'unrevoked'])

/** Keys that the node states. A caller that could set them would choose its own time, region or identity. */
const NODE_KEYS: ReadonlySet<string> = new Set(['time', 'region', 'staleness', 'peer'])

/** Refuses with `org_missing` or `access_malformed`. Accepts any value, never throws, and reads each property once. */
export function readFacts(access: unknown, context: Context): Facts | Refused {
  const facts = readForeignFacts(access, context)
  if (isRefused(facts)) return facts
  const org = facts.values.get('org')
  if (org === undefined) return refused('org_missing', 'the access names no org')
  const [name, another] = org.map(({ text }) => text)
  if (name === undefined || another !== undefined || name.length > ORG_CHARS_MAX)
    return malformed(`it must name one org, of at most ${ORG_CHARS_MAX} characters`)
  return { org: name, ...facts }
}

/** Like `readFacts` without an org, for macaroons of services that have no orgs. */
export function readForeignFacts(access: unknown, context: Context): ForeignFacts | Refused {
  try {
    return factsOf(access as Readonly<Record<string, unknown>>, context)
  } catch {
    // For example null, a revoked proxy, or a getter that throws.
    return malformed('it is not an object of keys and values')
  }
}

function factsOf(access: Readonly<Record<string, unknown>>, context: Context): ForeignFacts | Refused {
  const keys = Object.keys(access)
  if (keys.length > ACCESS_KEYS_MAX) return malformed(`it has more than ${ACCESS_KEYS_MAX} keys`)
  const values = new Map<string, readonly AskedValue[]>()
  let chars = 0
  for (const key of keys) {
    const fault = keyFault(key)
    if (fault !== undefined) return malformed(fault)
    const asked = askedValues(access[key])
    if (asked === undefined) return malformed(`the value of ${key} is not text, or a list of texts, within the limits`)
    values.set(key, asked)
    for (const { text } of asked) chars += text.length
    if (chars > ACCESS_CHARS_MAX) return malformed(`its values have more than ${ACCESS_CHARS_MAX} characters in all`)
  }
  return { values: withNodeValues(values, context), ...timesOf(context) }
}

function keyFault(key: string): string | undefined {
  if (key.length > ACCESS_KEY_CHARS_MAX || !isKey(key)) return 'it has a key that no caveat can have'
  if (DISCHARGE_KEYS.has(key)) return `${key} is stated by discharges, not by the caller`
  return NODE_KEYS.has(key) ? `${key} is stated by the verifying node, not by the caller` : undefined
}

/**
 * The values of one key, or undefined if they are malformed. An empty list is refused, because every caveat would allow it.
 * An undefined value is refused, because a conditional caveat (`key?`) would not apply to it.
 */
function askedValues(value: unknown): readonly AskedValue[] | undefined {
  const asked: readonly unknown[] = Array.isArray(value) ? Array.from(value) : [value]
  if (asked.length === 0 || asked.length > LIST_ITEMS_MAX) return undefined
  return asked.every(isValue) ? asked.map((text) => new AskedValue(text)) : undefined
}

function isValue(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= ACCESS_VALUE_CHARS_MAX
}

function withNodeValues(
  values: Map<string, readonly AskedValue[]>,
  { region, peer }: Context,
): Map<string, readonly AskedValue[]> {
  if (region !== undefined) values.set('region', [new AskedValue(region)])
  if (peer !== undefined) values.set('peer', [new AskedValue(peer)])
  return values
}

function timesOf({ nowEarliestMs, nowLatestMs, stalenessMs }: Context): Omit<ForeignFacts, 'values'> {
  return { nowEarliestMs, nowLatestMs, stalenessMs }
}

function malformed(why: string): Refused {
  return refused('access_malformed', `the access is malformed: ${why}`)
}
