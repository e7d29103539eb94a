/** A worker's cache beside the replica that it would ask, both over the same small authority. */
import type { Hit } from '../../../../replica/worker/cache/verified-tokens.ts'
import { VerifiedTokens } from '../../../../replica/worker/cache/verified-tokens.ts'
import type { Context } from '../../../../shared/verifier/access.ts'
import type { Verdict } from '../../../../shared/verifier/verdict.ts'
import { Node, NOW_MS } from '../../../shared/verifier/fixture.ts'

export const CONTEXT: Context = { nowEarliestMs: NOW_MS, nowLatestMs: NOW_MS, region: 'fra', stalenessMs: 100 }

export class CachedNode {
  readonly node: Node = new Node()
  readonly tokens: VerifiedTokens

  constructor(bounds: { readonly entries: number; readonly bytes: number } = { entries: 100, bytes: 1e6 }) {
    this.tokens = new VerifiedTokens({ bounds, seed: new Uint8Array(8).fill(9) })
  }

  /** What the cache says by itself. */
  hit(token: string, access: object = {}, context: Partial<Context> = {}): Hit | undefined {
    return this.tokens.judge(token, { org: 'acme', ...access }, { ...CONTEXT, ...context })
  }

  fresh(token: string, access: object = {}, context: Partial<Context> = {}): Verdict {
    return this.node.judge(token, { org: 'acme', ...access }, { ...CONTEXT, ...context })
  }

  /** Asks the replica, and keeps what it accepts, as a worker does. */
  ask(token: string, access: object = {}, context: Partial<Context> = {}): Verdict {
    const verdict = this.fresh(token, access, context)
    if (verdict.ok) this.tokens.keep(token, verdict)
    return verdict
  }
}
