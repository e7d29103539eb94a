import { gauges, type Metric } from '../metrics/metric.ts'
import { type Alarm, ALARM_CODES, ALARMS } from '../alarms.ts'

/** A series for each code there is, so that a rule that watches one finds it before it is ever on. */
export function alarmMetric(alarms: readonly Alarm[]): Metric {
  const on = new Set(alarms.map(({ code }) => code))
  const samples = ALARM_CODES.map((code) => ({
    labels: { code, severity: ALARMS[code].severity },
    value: Number(on.has(code)),
  }))
  return gauges('macaroond_alarm', '1 while this alarm is on; `status` says why, and what to do.', samples)
}
