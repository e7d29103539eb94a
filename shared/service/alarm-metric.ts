/** The alarms of a node as a metric. */
import { gauges, type Metric } from '../metrics/metric.ts'
import { type Alarm, ALARM_CODES, ALARMS } from '../alarms.ts'

/** One series for each code, also while it is off, so that a rule in the monitoring always finds its series. */
export function alarmMetric(alarms: readonly Alarm[]): Metric {
  const on = new Set(alarms.map(({ code }) => code))
  const samples = ALARM_CODES.map((code) => ({
    labels: { code, severity: ALARMS[code].severity },
    value: Number(on.has(code)),
  }))
  return gauges('macaroond_alarm', '1 while this alarm is on; `status` says why, and what to do.', samples)
}
