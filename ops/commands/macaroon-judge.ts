/** What clears a caveat when macaroons are verified offline, where nobody has agreed on what its words mean. */
import { MacaroondError } from '../../shared/errors.ts'
import { PredicateCache } from '../../shared/macaroon/predicate/cache.ts'
import type { Context } from '../../shared/verifier/access.ts'
import type { CaveatJudge } from '../../shared/verifier/clear.ts'
import { refused, type Refused } from '../../shared/verifier/verdict.ts'
import { judgeAccess, judgeExact } from '../../shared/verifier/with-key.ts'
import { parsePairs } from '../arguments/access.ts'

export interface OfflineFacts {
  /** Predicates that hold, as texts. */
  readonly exact: readonly string[]
  /** `key=value`, as given on the command line. */
  readonly access: readonly string[]
  /** Unix milliseconds. */
  readonly nowMs: number
}

/** Known without anybody's word: the time, and a remark that asks for nothing. */
const ALWAYS_KNOWN: ReadonlySet<string> = new Set(['time', 'note'])

/**
 * A caveat clears if it is given literally, or if the caveat language clears it by what is stated. A key that is not
 * stated refuses, also with `key?`: another service may mean something else by it. Throws usage.
 */
export function offlineJudge({ exact, access, nowMs }: OfflineFacts): CaveatJudge {
  const literal = judgeExact(exact)
  const { region, peer, ...stated } = Object.fromEntries(parsePairs(access))
  const context = { nowEarliestMs: nowMs, nowLatestMs: nowMs, ...single('region', region), ...single('peer', peer) }
  const language = languageJudge(stated, context)
  const known = new Set(parsePairs(access).keys())
  const predicates = new PredicateCache()
  return {
    judge: (caveat) => {
      if (literal.judge(caveat).ok) return { ok: true }
      const { text, predicate } = predicates.compile(caveat)
      const understood = predicate.kind === 'value' ? known.has(predicate.key) : ALWAYS_KNOWN.has(predicate.kind)
      return understood ? language.judge(caveat) : notGiven(text)
    },
    describe: (caveat) => language.describe(caveat),
  }
}

function languageJudge(stated: Readonly<Record<string, readonly string[]>>, context: Context): CaveatJudge {
  const judge = judgeAccess(stated, context)
  if ('judge' in judge) return judge
  throw new MacaroondError('usage', judge.message, { hint: 'give --access as key=value, for example op=read' })
}

function single(key: 'region' | 'peer', values: readonly string[] | undefined): Partial<Context> {
  const [value, another] = values ?? []
  if (another !== undefined)
    throw new MacaroondError('usage', `--access ${key} is given twice`, { hint: 'give it once' })
  return value === undefined ? {} : { [key]: value }
}

function notGiven(caveat: string): Refused {
  return refused('caveat_unknown', 'a caveat is neither given with --exact nor understood by what --access states', {
    caveat,
    wanted: caveat,
  })
}
