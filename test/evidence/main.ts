/** `npm run evidence`: writes EVIDENCE.md anew, the list of alarms in the runbook, the page of calls, and docs/reference. */
import { readFileSync, writeFileSync } from 'node:fs'
import { RUNBOOK, withAlarms } from './alarms-list.ts'
import { CALLS_PAGE, callsPage } from './calls-page.ts'
import { gathered, PAGE } from './gathered.ts'
import { pageOf } from './page.ts'
import { REFERENCE_PAGES } from './reference/pages.ts'

writeFileSync(PAGE, pageOf(gathered()))
writeFileSync(RUNBOOK, withAlarms(readFileSync(RUNBOOK, 'utf8')))
writeFileSync(CALLS_PAGE, callsPage())
for (const [path, write] of Object.entries(REFERENCE_PAGES)) writeFileSync(path, await write())
