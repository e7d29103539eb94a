/**
 * When to send a heartbeat and when to call the other side dead. Pure: the shell is in `heartbeat.ts`.
 * TCP alone notices a dead link after minutes, and a stopped process never.
 */
export interface Pulse {
  /** Monotonic milliseconds: when the peer was last heard, when we last sent a heartbeat, when to look next. */
  readonly heardMs: number
  readonly beatMs: number
  readonly dueMs: number
}

export interface PulseLimits {
  readonly intervalMs: number
  readonly silenceMs: number
}

export interface PulseStep {
  readonly pulse: Pulse
  readonly beat: boolean
  readonly silent: boolean
}

export function startPulse(nowMs: number, limits: PulseLimits): Pulse {
  return { heardMs: nowMs, beatMs: nowMs, dueMs: nowMs + limits.intervalMs }
}

/** `listening` is false while reading is stopped: then silence is our own doing and is not counted. */
export function stepPulse(pulse: Pulse, nowMs: number, listening: boolean, limits: PulseLimits): PulseStep {
  const heardMs = listening ? forgiveStall(pulse, nowMs, limits) : nowMs
  const beat = nowMs - pulse.beatMs >= limits.intervalMs
  const beatMs = beat ? nowMs : pulse.beatMs
  const dueMs = Math.min(beatMs + limits.intervalMs, heardMs + limits.silenceMs)
  return { pulse: { heardMs, beatMs, dueMs }, beat, silent: nowMs - heardMs >= limits.silenceMs }
}

/**
 * After a stall timers run before sockets are read, so what the peer sent meanwhile is not seen yet. The stall does not
 * count as silence, and one interval is left in any case for what is waiting in the socket.
 */
function forgiveStall(pulse: Pulse, nowMs: number, limits: PulseLimits): number {
  const lateMs = nowMs - pulse.dueMs
  // A timer that is late by more than this was not just unlucky: our own event loop stood still.
  if (lateMs <= limits.intervalMs / 4) return pulse.heardMs
  return Math.max(pulse.heardMs + lateMs, nowMs - limits.silenceMs + limits.intervalMs)
}
