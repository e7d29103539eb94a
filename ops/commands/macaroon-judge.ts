/**
 * Clears caveats when a macaroon is verified offline. Another program may have written the caveats, so a key means nothing
 * unless the operator states it with `--access`.
 */
import { MacaroondError } from '../../shared/errors.ts'
import { PredicateCache } from '../../shared/macaroon/predicate/cache.ts'
import type { Context } from '../../shared/verifier/access.ts'
import type { CaveatJudge } from '../../shared/verifier/clear.ts'
import { refused, type Refused } from '../../shared/verifier/verdict.ts'
import { judgeAccess, judgeExact } from '../../shared/verifier/with-key.ts'
import { parsePairs } from '../arguments/access.ts'

export interface OfflineFacts {
  /** Texts of caveats that hold. */
  readonly exact: readonly string[]
  /** `key=value`, as given on the command line. */
  readonly access: readonly string[]
  /** Unix milliseconds. */
  readonly nowMs: number
}

/** Kinds of caveats that need no statement: `time` has a clock, `note` restricts nothing. */
const ALWAYS_KNOWN: ReadonlySet<string> = new Set(['time', 'note'])

/**
 * A caveat clears if its text is given with `--exact`, or if the caveat language clears it by the stated access. A key that is
 * not stated refuses, even an optional one (`key?`), because another service may mean something else by it. Throws usage.
 */
export function offlineJudge({ exact, access, nowMs }: OfflineFacts): CaveatJudge {
  const literal = judgeExact(exact)
  const { region, peer, ...stated } = Object.fromEntries(parsePairs(access))
  const context = { nowEarliestMs: nowMs, nowLatestMs: nowMs, ...single('region', region), ...single('peer', peer) }
  const language = languageJudge(stated, context)
  const known = new Set(parsePairs(access).keys())
  const predicates = new PredicateCache()
  return {
    judge: (caveat, work) => {
      if (literal.judge(caveat, work).ok) return { ok: true }
      const { text, predicate } = predicates.compile(caveat)
      const understood = predicate.kind === 'value' ? known.has(predicate.key) : ALWAYS_KNOWN.has(predicate.kind)
      return understood ? language.judge(caveat, work) : notGiven(text)
    },
    describe: (caveat) => language.describe(caveat),
  }
}

/** A judge for caveats of macaroond's own language. Throws usage for an access that cannot be judged. */
function languageJudge(stated: Readonly<Record<string, readonly string[]>>, context: Context): CaveatJudge {
  const judge = judgeAccess(stated, context)
  if ('judge' in judge) return judge
  throw new MacaroondError('usage', judge.message, { hint: 'give --access as key=value, for example op=read' })
}

/** `region` and `peer` are facts about the node and the presenter, so each has one value. Throws usage. */
function single(key: 'region' | 'peer', values: readonly string[] | undefined): Partial<Context> {
  const [value, another] = values ?? []
  if (another !== undefined)
    throw new MacaroondError('usage', `--access ${key} is given twice`, { hint: 'give it once' })
  return value === undefined ? {} : { [key]: value }
}

/** An unknown caveat refuses: accepting it would ignore a restriction. */
function notGiven(caveat: string): Refused {
  return refused('caveat_unknown', 'a caveat is not given with --exact, and --access does not state its key', {
    caveat,
    wanted: caveat,
  })
}
