import { MacaroondError } from '../../shared/errors.ts'

/** A token comes on stdin, where `--token -` says so. Throws usage. */
export function checkTokenArgument(token: string | undefined): void {
  if (token === undefined || token === '-') return
  throw new MacaroondError('usage', 'a token is not given as an argument, where other users of the machine see it', {
    hint: 'write `--token -` and pipe the token in; if it was a real one, consider it leaked and revoke it',
  })
}
