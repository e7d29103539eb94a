/**
 * The alarms of one node that are on. A part of the node sets an alarm itself, or registers a condition that the board checks
 * every few seconds and at each request. Each alarm is logged when it begins and when it ends.
 */
import type { CallOff, Clock, Timers } from '../clock.ts'
import type { Log } from '../log.ts'
import { type Alarm, type AlarmCode, ALARMS } from '../alarms.ts'

const CHECK_MS = 5_000
/** Shortest time between two log lines of one alarm, because its details, such as a count, may change all the time. */
const LOG_AGAIN_MS = 60_000

interface Raised {
  readonly alarm: Alarm
  readonly sinceMonotonicMs: number
  readonly logged: { readonly message: string; readonly atMs: number } | undefined
}

/** One case of an alarm that can be on several times: the thing it is about, and the details. */
export type Case = readonly [about: string, detail: string]

export class AlarmBoard {
  readonly #clock: Clock & Pick<Timers, 'every'>
  readonly #log: Log
  readonly #raised = new Map<string, Raised>()
  readonly #checks: (() => void)[] = []
  #stopChecking: CallOff | undefined

  constructor(clock: Clock & Pick<Timers, 'every'>, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** Critical alarms first; within a severity, the oldest first. */
  get list(): readonly Alarm[] {
    this.refresh()
    const on = [...this.#raised.values()].filter((raised) => this.#isOn(raised)).map(({ alarm }) => alarm)
    const rank = ({ severity, sinceMs }: Alarm): readonly [number, number] => [severity === 'critical' ? 0 : 1, sinceMs]
    return on.toSorted((a, b) => rank(a)[0] - rank(b)[0] || rank(a)[1] - rank(b)[1])
  }

  /**
   * Raises the alarm with these details, or ends it if `detail` is undefined. Setting the same details again has no effect.
   * `about` distinguishes alarms of one code.
   */
  set(code: AlarmCode, detail: string | undefined, about: string = ''): void {
    const key = `${code} ${about}`
    const before = this.#raised.get(key)
    if (detail === undefined) {
      this.#raised.delete(key)
      if (before?.logged !== undefined) this.#log.info({ alarm: code, about }, `ended: ${before.logged.message}`)
      return
    }
    const { severity, summary, action } = ALARMS[code]
    const message = [summary, about, detail].filter((part) => part !== '').join(': ')
    const sinceMs = before?.alarm.sinceMs ?? this.#clock.wallMs()
    const raised: Raised = {
      alarm: { code, severity, about, message, action, sinceMs },
      sinceMonotonicMs: before?.sinceMonotonicMs ?? this.#clock.monotonicMs(),
      logged: before?.logged,
    }
    this.#raised.set(key, { ...raised, logged: this.#logIfDue(raised) })
  }

  /** Registers a condition: the alarm is on while `condition` returns details. */
  watch(code: AlarmCode, condition: () => string | undefined): void {
    this.#checks.push(() => this.set(code, condition()))
  }

  /** Like `watch`, for an alarm that can be on several times at once. */
  watchEach(code: AlarmCode, casesOf: () => readonly Case[]): void {
    let before: readonly string[] = []
    this.#checks.push(() => {
      const cases = new Map(casesOf())
      for (const about of before) if (!cases.has(about)) this.set(code, undefined, about)
      for (const [about, detail] of cases) this.set(code, detail, about)
      before = [...cases.keys()]
    })
  }

  /** Checks every registered condition now. */
  refresh(): void {
    for (const check of this.#checks) check()
  }

  start(): void {
    this.#stopChecking = this.#clock.every(CHECK_MS, () => this.refresh(), { background: true })
  }

  stop(): void {
    this.#stopChecking?.()
  }

  #isOn({ alarm, sinceMonotonicMs }: Raised): boolean {
    return this.#clock.monotonicMs() - sinceMonotonicMs >= (ALARMS[alarm.code].afterMs ?? 0)
  }

  #logIfDue(raised: Raised): Raised['logged'] {
    const { alarm, logged: told } = raised
    const nowMs = this.#clock.monotonicMs()
    if (!this.#isOn(raised) || told?.message === alarm.message) return told
    if (told !== undefined && nowMs - told.atMs < LOG_AGAIN_MS) return told
    const { code, severity, about, message, action } = alarm
    this.#log[severity === 'critical' ? 'error' : 'warn']({ alarm: code, about, action }, message)
    return { message, atMs: nowMs }
  }
}
