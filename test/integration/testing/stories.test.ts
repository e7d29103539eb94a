/** `macaroond/testing` and a real cluster give the same verdicts, answers and errors, field by field. */
import { expect, test } from 'vitest'
import { comparable } from './comparable.ts'
import { STORIES, type Story } from './stories.ts'
import { inProcess, type MakeWorld, withSockets } from './world.ts'

type Record = readonly [label: string, what: unknown]

async function recordOf({ run, cache = false }: Story, make: MakeWorld): Promise<readonly Record[]> {
  const told: Record[] = []
  await run(await make(cache), (label, what) => told.push([label, what]))
  return comparable(told) as readonly Record[]
}

function verdictsIn(told: readonly Record[]): readonly string[] {
  return told.flatMap(([, what]) => {
    if (typeof what !== 'object' || what === null || !('ok' in what)) return []
    return ['reason' in what ? String(what.reason) : 'ok']
  })
}

test.each(Object.entries(STORIES))('%s', async (_, story) => {
  const here = await recordOf(story, inProcess)
  const there = await recordOf(story, withSockets)
  expect(here).toEqual(there)
  expect(verdictsIn(here)).toEqual(story.verdicts)
})
