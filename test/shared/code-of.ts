/** What became of a call that may throw. */

/** The code of the error that `work` throws, or 'no error'. */
export function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
  return 'no error'
}
