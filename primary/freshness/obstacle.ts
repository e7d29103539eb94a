/**
 * Pure: what keeps this primary from writing a revocation, for a reason of its own, and whether it may go on granting leases
 * (V8). A write that failed ends them at once: the next one is not known to be better. A foreign write lock is waited for as
 * long as a revocation may take to bind.
 */

export interface Obstacle {
  readonly kind: 'lock' | 'storage'
  /** Monotonic milliseconds. */
  readonly sinceMs: number
  readonly message: string
}

export type ObstacleEvent =
  /** A transaction was committed, or, where only a lock was in the way, could begin. */
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

export function endsLeases(obstacle: Obstacle | undefined, nowMs: number, boundMs: number): boolean {
  return obstacle !== undefined && (obstacle.kind === 'storage' || nowMs - obstacle.sinceMs > boundMs)
}
