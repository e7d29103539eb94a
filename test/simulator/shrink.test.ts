import { expect, test } from 'vitest'
import { drawPlan } from './plan/plan.ts'
import { excerptOf, shrink, whole, type Excerpt } from './shrink.ts'

const STEPS = 40
const PLAN = drawPlan(11, STEPS)

test('a failing plan shrinks to the fault that fails, and to no more steps than it takes', async () => {
  const culprit = PLAN.faults.length - 1
  const fails = (excerpt: Excerpt): Promise<boolean> =>
    Promise.resolve(excerpt.only.includes(culprit) && excerpt.until >= 23)
  expect(PLAN.faults.length).toBeGreaterThan(1)
  expect(await shrink(PLAN, fails)).toEqual({ only: [culprit], until: 23 })
})

test('a plan that cannot be shortened stays as it is', async () => {
  const all = JSON.stringify(whole(PLAN))
  expect(await shrink(PLAN, (excerpt) => Promise.resolve(JSON.stringify(excerpt) === all))).toEqual(whole(PLAN))
})

test('an excerpt ends with its last step, and its faults with it', () => {
  const { lengthMs, faults } = excerptOf(PLAN, { ...whole(PLAN), until: 20 })
  expect(lengthMs).toBe(2_000)
  for (const { atMs, forMs } of faults) expect(atMs + forMs).toBeLessThanOrEqual(2_000)
})

test('a plan follows from its seed alone', () => {
  expect(drawPlan(11, STEPS)).toEqual(PLAN)
  expect(drawPlan(12, STEPS)).not.toEqual(PLAN)
})
