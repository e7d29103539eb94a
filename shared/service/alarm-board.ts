/** The alarms of one node that are on. Each is logged when it begins and when it ends. */
import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import { type Alarm, type AlarmCode, ALARMS } from './alarms.ts'

export class AlarmBoard {
  readonly #clock: Pick<Clock, 'wallMs'>
  readonly #log: Log
  readonly #on = new Map<AlarmCode, Alarm>()

  constructor(clock: Pick<Clock, 'wallMs'>, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** The critical ones first, the oldest of each severity first. */
  get list(): readonly Alarm[] {
    const rank = ({ severity, sinceMs }: Alarm): readonly [number, number] => [severity === 'critical' ? 0 : 1, sinceMs]
    return [...this.#on.values()].toSorted((a, b) => rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1])
  }

  /** Raises the alarm with these details, or ends it when they are undefined. To say the same again is nothing new. */
  set(code: AlarmCode, detail: string | undefined): void {
    const before = this.#on.get(code)
    if (detail === undefined) return before === undefined ? undefined : this.#end(before)
    const { severity, summary, action } = ALARMS[code]
    const message = detail === '' ? summary : `${summary}: ${detail}`
    if (before?.message === message) return
    this.#on.set(code, { code, severity, message, action, sinceMs: before?.sinceMs ?? this.#clock.wallMs() })
    this.#log[severity === 'critical' ? 'error' : 'warn']({ alarm: code, action }, message)
  }

  #end({ code, message }: Alarm): void {
    this.#on.delete(code)
    this.#log.info({ alarm: code }, `ended: ${message}`)
  }
}
