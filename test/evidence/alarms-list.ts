/** The list of alarms in the runbook. */
import { join } from 'node:path'
import { ALARM_CODES, ALARMS } from '../../shared/alarms.ts'
import { ROOT } from './gathered.ts'

export const RUNBOOK: string = join(ROOT, 'ops/RUNBOOK.md')
const BEGIN = '<!-- made by `npm run evidence` from shared/alarms.ts -->\n'
const END = '\n<!-- end of the list -->'

/** The runbook with the list as the code has it. */
export function withAlarms(runbook: string): string {
  const [before, rest] = [runbook.split(BEGIN)[0] ?? '', runbook.split(END)[1] ?? '']
  return `${before}${BEGIN}\n${ALARM_CODES.map(lineOf).join('\n')}\n${END}${rest}`
}

function lineOf(code: (typeof ALARM_CODES)[number]): string {
  const { severity, summary, action } = ALARMS[code]
  return `- \`${code}\` (${severity}): ${summary}. **Do**: ${action}.`
}
