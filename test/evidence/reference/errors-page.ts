/** docs/reference/errors.md: every code of an error and every reason of a refusal. */
import { exitStatusOf } from '../../../ops/exit-status.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { ERROR_GROUPS, ERROR_MEANINGS, type Meaning, REASON_MEANINGS } from './error-meanings.ts'

export function errorsPage(): string {
  const lines = ERROR_GROUPS.flatMap(([title, codes]) => [
    `## ${title}`,
    '',
    ...codes.map((code) => lineOf(code, exitStatusOf(new MacaroondError(code, '')), ERROR_MEANINGS[code])),
    '',
  ])
  const reasons = Object.entries(REASON_MEANINGS).map(([reason, meaning]) =>
    lineOf(reason, reason === 'unavailable' ? 4 : 3, meaning),
  )
  return [
    '# Errors',
    '',
    '<!-- made by `npm run evidence` from test/evidence/reference/error-meanings.ts and shared/errors.ts -->',
    '',
    'An operation that could not be done has a **code** to switch on, a message that says what happened, and often a hint that says',
    'what to do. With `--json` a command prints `{"error": {"code", "message", "hint"?, "retryAfterMs"?}}`; the SDKs throw',
    '`MacaroondError` with the same fields. A refused token is no error: its verdict has a **reason**.',
    '',
    'The exit status says who has to act: 1 failed, 2 the command line or the configuration is wrong, 3 denied, 4 unavailable, so try',
    'again, 5 in conflict with what exists.',
    '',
    ...lines,
    '## Reasons of a refused token',
    '',
    'A reason is also any code of "Tokens" above, `key_unknown`, `key_retired`, `org_disabled` or `discharge_invalid`.',
    '',
    ...reasons,
    '',
  ].join('\n')
}

function lineOf(code: string, status: number, { meaning, action }: Meaning): string {
  return `- \`${code}\` (exit ${status}): ${meaning}. **Do**: ${action}.`
}
