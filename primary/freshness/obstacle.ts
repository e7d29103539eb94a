/**
 * Tracks the obstacle that prevents this primary from writing revocations, and decides if it may still grant leases (V8).
 * Pure. After a failed write the primary grants no lease, because the next write may fail too. If another program holds the
 * write lock, the primary grants no lease once the lock has lasted longer than the bound.
 */

export interface Obstacle {
  readonly kind: 'lock' | 'storage'
  /** Monotonic milliseconds. */
  readonly sinceMs: number
  readonly message: string
}

export type ObstacleEvent =
  /** A transaction was committed. If the obstacle is a lock, it is enough that a transaction could begin. */
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
