import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ALARM_CODES, ALARMS } from '../../shared/alarms.ts'
import { RUNBOOK, withAlarms } from './alarms-list.ts'

test('the runbook lists every alarm there is; `npm run evidence` writes the list', () => {
  const runbook = readFileSync(RUNBOOK, 'utf8')
  expect(runbook).toBe(withAlarms(runbook))
})

test('the runbook has each section that an alarm refers to', () => {
  const runbook = readFileSync(RUNBOOK, 'utf8')
  const named = ALARM_CODES.flatMap((code) => ALARMS[code].action.match(/(?<=RUNBOOK, ")[^"]+/g) ?? [])
  expect(named.length).toBeGreaterThan(0)
  expect(named.filter((heading) => !runbook.includes(`\n## ${heading}\n`))).toEqual([])
})
