/**
 * Options of Node for a process that is a node. Under load V8 lets the space of young objects grow to three times 16 MB
 * and never gives it back; a node's objects are small and die young, and it does as well with half.
 */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=8']
