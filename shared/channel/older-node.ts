/** Explains the answer of a node that does not have a method, because it runs an earlier version. */
import { MacaroondError } from '../errors.ts'
import { NO_SUCH_METHOD } from './rpc.ts'

/** Runs a call that nodes of 0.1.0 do not answer. Throws request_invalid with a hint for such a node, and the call's errors. */
export async function unlessOlder<T>(node: string, method: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.message !== NO_SUCH_METHOD) throw error
    throw new MacaroondError('request_invalid', `${node} runs an older macaroond, which does not answer ${method}`, {
      hint: 'upgrade it; `macaroond status --json` shows the version of every node',
    })
  }
}
