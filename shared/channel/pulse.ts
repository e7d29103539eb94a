/**
 * Pure core that decides when to send a heartbeat and when to treat the peer as dead. The shell is `heartbeat.ts`. TCP alone
 * notices a dead link after minutes, and a stopped process never.
 */
export interface Pulse {
  /** Monotonic milliseconds: `heardMs` the peer was last heard, `beatMs` we last sent a heartbeat, `dueMs` the next check. */
  readonly heardMs: number
  readonly beatMs: number
  readonly dueMs: number
}

export interface PulseLimits {
  /** Interval between heartbeats. */
  readonly intervalMs: number
  /** Silence after which the peer counts as dead. */
  readonly silenceMs: number
}

export interface PulseStep {
  readonly pulse: Pulse
  /** True if a heartbeat is due. */
  readonly beat: boolean
  /** True if the peer counts as dead. */
  readonly silent: boolean
}

export function startPulse(nowMs: number, limits: PulseLimits): Pulse {
  return { heardMs: nowMs, beatMs: nowMs, dueMs: nowMs + limits.intervalMs }
}

/** `listening` is false while reading is stopped; the peer's silence is not counted then. */
export function stepPulse(pulse: Pulse, nowMs: number, listening: boolean, limits: PulseLimits): PulseStep {
  const heardMs = listening ? forgiveStall(pulse, nowMs, limits) : nowMs
  const beat = nowMs - pulse.beatMs >= limits.intervalMs
  const beatMs = beat ? nowMs : pulse.beatMs
  const dueMs = Math.min(beatMs + limits.intervalMs, heardMs + limits.silenceMs)
  return { pulse: { heardMs, beatMs, dueMs }, beat, silent: nowMs - heardMs >= limits.silenceMs }
}

/**
 * After a stall of the event loop, timers run before sockets are read, so data that the peer sent meanwhile is not seen yet.
 * The stall does not count as silence, and at least one interval is left to read the socket.
 */
function forgiveStall(pulse: Pulse, nowMs: number, limits: PulseLimits): number {
  const lateMs = nowMs - pulse.dueMs
  // A timer that is later than this shows that our own event loop was stalled.
  if (lateMs <= limits.intervalMs / 4) return pulse.heardMs
  return Math.max(pulse.heardMs + lateMs, nowMs - limits.silenceMs + limits.intervalMs)
}
