/** `npm run evidence`: writes EVIDENCE.md anew, and the list of alarms in the runbook. */
import { readFileSync, writeFileSync } from 'node:fs'
import { RUNBOOK, withAlarms } from './alarms-list.ts'
import { gathered, PAGE } from './gathered.ts'
import { pageOf } from './page.ts'

writeFileSync(PAGE, pageOf(gathered()))
writeFileSync(RUNBOOK, withAlarms(readFileSync(RUNBOOK, 'utf8')))
