import { describe, expect, it } from 'vitest'
import { exitStatusOf, exitStatusOfVerdict } from '../../ops/exit-status.ts'
import { MacaroondError, type ErrorCode } from '../../shared/errors.ts'
import { refused } from '../../shared/verifier/verdict.ts'

describe('the exit status', () => {
  it.each<[ErrorCode, number]>([
    ['io_failed', 1],
    ['token_damaged', 1],
    ['usage', 2],
    ['config_invalid', 2],
    ['peer_refused', 3],
    ['permission_denied', 3],
    ['connect_failed', 4],
    ['write_unconfirmed', 4],
    ['org_exists', 5],
    ['key_exists', 5],
  ])('of %s is %i', (code, status) => {
    expect(exitStatusOf(new MacaroondError(code, 'a message'))).toBe(status)
  })

  it('of an error that is not ours is that of a failure', () => {
    expect(exitStatusOf(new TypeError('a bug'))).toBe(1)
    expect(exitStatusOf('not even an error')).toBe(1)
  })

  it('distinguishes a refused token from one that nobody could judge', () => {
    expect(exitStatusOfVerdict(refused('revoked', 'it is revoked'))).toBe(3)
    expect(exitStatusOfVerdict(refused('token_malformed', 'not a token'))).toBe(3)
    expect(exitStatusOfVerdict(refused('unavailable', 'nobody answered'))).toBe(4)
  })
})
