/** The levels that a write can be required to reach before it is acknowledged, weakest first. */
export const DURABILITY_LEVELS = ['local', 'replica', 'archive'] as const
export type DurabilityLevel = (typeof DURABILITY_LEVELS)[number]
