/** Cuts a plan that fails down to the shortest schedule that still fails in the same way. */
import { STEP_MS, type Plan } from './plan/plan.ts'

/** Which part of a drawn plan is carried out. */
export interface Excerpt {
  /** Faults by their number in the plan. */
  readonly only: readonly number[]
  /** Steps that are made. */
  readonly until: number
}

const STEPS_MIN = 12

export function whole({ faults, lengthMs }: Plan): Excerpt {
  return { only: faults.map((_, index) => index), until: lengthMs / STEP_MS }
}

export function excerptOf(plan: Plan, { only, until }: Excerpt): Plan {
  const lengthMs = until * STEP_MS
  const faults = plan.faults
    .filter((fault, index) => only.includes(index) && fault.atMs < lengthMs)
    .map((fault) => ({ ...fault, forMs: Math.min(fault.forMs, lengthMs - fault.atMs) }))
  return { ...plan, lengthMs, faults }
}

/** `fails` runs an excerpt. Takes away one fault after the other, then halves the time, then takes the last steps. */
export async function shrink(plan: Plan, fails: (excerpt: Excerpt) => Promise<boolean>): Promise<Excerpt> {
  let best = whole(plan)
  const attempt = async (excerpt: Excerpt): Promise<boolean> => {
    if (!(await fails(excerpt))) return false
    best = excerpt
    return true
  }
  for (const index of best.only) await attempt({ ...best, only: best.only.filter((kept) => kept !== index) })
  for (let step = Math.ceil(best.until / 2); step >= 1; step = Math.floor(step / 2)) {
    while (best.until - step >= STEPS_MIN && (await attempt({ ...best, until: best.until - step })));
  }
  return best
}
