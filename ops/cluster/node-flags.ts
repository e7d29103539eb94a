/**
 * Options of Node.js for a macaroond process. Under load V8 lets the space of young objects grow to three times 16 MB and never
 * shrinks it. A node's objects are small and die young, so half the space is as fast and saves memory.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8']
