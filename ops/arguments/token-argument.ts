/** Refuses a token that is given as an argument. */
import { MacaroondError } from '../../shared/errors.ts'

/** `--token` takes only `-`, which stands for standard input. Throws usage. */
export function checkTokenArgument(token: string | undefined): void {
  if (token === undefined || token === '-') return
  throw new MacaroondError('usage', 'a token is not given as an argument, where other users of the machine see it', {
    hint: 'write `--token -` and pipe the token in; if it was a real one, consider it leaked and revoke it',
  })
}
