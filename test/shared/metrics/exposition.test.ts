import { expect, onTestFinished, test } from 'vitest'
import { Exposition } from '../../../shared/metrics/exposition.ts'
import { counter, gauge, gauges, type Metric, stateGauge } from '../../../shared/metrics/metric.ts'

async function textOf(metrics: readonly Metric[]): Promise<readonly string[]> {
  const exposition = new Exposition(() => metrics)
  onTestFinished(() => exposition.close())
  return (await exposition.text()).split('\n')
}

test('gauges, counters, labels and states are written as the format has them', async () => {
  const lines = await textOf([
    gauge('macaroond_bound_seconds', 'The bound.', 5.1),
    gauge('macaroond_open', 'Whether it is.', true),
    counter('macaroond_answers_total', 'Answers.', 3),
    gauges('macaroond_lag', 'Behind.', [{ labels: { replica: 'a "b"\n\\', region: 'fra' }, value: 2 }]),
    stateGauge('macaroond_writes', 'Which.', ['open', 'stopping'], 'open'),
  ])
  for (const line of [
    '# HELP macaroond_bound_seconds The bound.',
    '# TYPE macaroond_bound_seconds gauge',
    'macaroond_bound_seconds 5.1',
    'macaroond_open 1',
    '# TYPE macaroond_answers_total counter',
    'macaroond_answers_total 3',
    'macaroond_lag{replica="a \\"b\\"\\n\\\\",region="fra"} 2',
    'macaroond_writes{state="open"} 1',
    'macaroond_writes{state="stopping"} 0',
  ]) {
    expect(lines).toContain(line)
  }
})

test('an unmeasured value has no series, rather than a zero', async () => {
  const lines = await textOf([gauge('macaroond_age_seconds', 'Age.', null), gauges('macaroond_lag', 'Behind.', [])])
  expect(lines.filter((line) => line.startsWith('macaroond_'))).toEqual([])
})

test('every answer is counted anew, beside what the process uses', async () => {
  let count = 0
  const exposition = new Exposition(() => [counter('macaroond_asked_total', 'Asked.', (count += 1))])
  onTestFinished(() => exposition.close())
  expect(await exposition.text()).toContain('macaroond_asked_total 1\n')
  const text = await exposition.text()
  expect(text).toContain('macaroond_asked_total 2\n')
  expect(text).toMatch(/^process_resident_memory_bytes \d+$/m)
})
