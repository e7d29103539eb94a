/** Paths here are bytes, one a character (Latin-1): decoders of others make bytes that are no UTF-8. */

/** The places that each path may mean to somebody's decoder; none where it refuses the path. */
export type Decoder = (paths: readonly string[]) => Promise<readonly (readonly string[])[]>
