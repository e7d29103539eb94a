/** What an operator does about a primary's database that is not what the primary wrote; every message says the same. */

export const REPAIR_HINT =
  '`macaroond repair --config FILE --profile FILE` rebuilds it from its log, its archive and its replicas, and keeps the damaged files'

/** `.backup` sets counters in the first page, and VACUUM INTO writes all pages anew: the same rows in another file, which fits nothing archived or replicated. */
export const NO_BACKUP = 'a copy that `.backup` or VACUUM INTO made is no backup'
