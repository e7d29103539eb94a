/** The advice for a primary's database whose bytes are not the ones the primary wrote. Every such message shares this text. */

export const REPAIR_HINT =
  '`macaroond repair --config FILE --profile FILE` rebuilds it from its log, its archive and its replicas, and keeps the damaged files'

/**
 * `.backup` changes counters in the first page, and VACUUM INTO writes all pages anew. Both produce the same rows in different
 * pages, so no archived or replicated segment applies to them.
 */
export const NO_BACKUP = 'a copy that `.backup` or VACUUM INTO made is no backup'
