/**
 * Tracks what keeps this primary from writing revocations, and decides if it may still grant leases (V8). Pure. A failed write
 * stops leases at once, because the next write may fail too. A write lock of another program stops them once it has lasted
 * longer than the bound.
 */

export interface Obstacle {
  readonly kind: 'lock' | 'storage'
  /** Monotonic milliseconds. */
  readonly sinceMs: number
  readonly message: string
}

export type ObstacleEvent =
  /** A transaction was committed, or could begin if only a lock was in the way. */
  { readonly kind: 'taken' } | { readonly kind: 'locked' } | { readonly kind: 'failed'; readonly message: string }

export function stepObstacle(before: Obstacle | undefined, event: ObstacleEvent, nowMs: number): Obstacle | undefined {
  const sinceMs = before?.sinceMs ?? nowMs
  switch (event.kind) {
    case 'taken':
      return undefined
    case 'failed':
      return { kind: 'storage', sinceMs, message: event.message }
    case 'locked':
      if (before?.kind === 'storage') return before
      return { kind: 'lock', sinceMs, message: 'another program holds a write transaction on the database' }
  }
}

/** True if the primary must stop granting leases. */
export function forbidsLeases(obstacle: Obstacle | undefined, nowMs: number, boundMs: number): boolean {
  return obstacle !== undefined && (obstacle.kind === 'storage' || nowMs - obstacle.sinceMs > boundMs)
}
