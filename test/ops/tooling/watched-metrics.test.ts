/** Nodes export every metric that the runbook tells operators to watch. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const ROOT = new URL('../../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8')

test('every metric that the runbook names is exported by a node', () => {
  const exported = new Set(['primary', 'replica'].flatMap((role) => namesIn(read(`${role}/metrics.ts`))))
  for (const name of namesIn(read('shared/service/alarm-metric.ts'))) exported.add(name)
  const watched = namesIn(read('ops/RUNBOOK.md'))
  expect(watched.length).toBeGreaterThan(5)
  expect(watched.filter((name) => !exported.has(name))).toEqual([])
})

function namesIn(text: string): readonly string[] {
  return text.match(/macaroond_[a-z_]+/g) ?? []
}
