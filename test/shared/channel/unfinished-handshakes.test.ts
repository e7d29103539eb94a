import { describe, expect, it } from 'vitest'
import { UnfinishedHandshakes } from '../../../shared/channel/unfinished-handshakes.ts'
import { systemClock } from '../../../shared/clock.ts'
import { until } from './pair.ts'

function table(countMax: number, timeoutMs = 60_000) {
  const unfinished = new UnfinishedHandshakes({ countMax, timeoutMs, clock: systemClock })
  const aborted: string[] = []
  const add = (address: string, name: string) =>
    unfinished.add(address, (error) => aborted.push(`${name} ${error.code}`))
  return { unfinished, aborted, add }
}

describe('unfinished handshakes', () => {
  it('above the limit push out the oldest', () => {
    const { unfinished, aborted, add } = table(2)
    for (const name of ['a', 'b', 'c', 'd']) add('10.0.0.1', name)
    expect(aborted).toEqual(['a overloaded', 'b overloaded'])
    expect(unfinished.count).toBe(2)
    unfinished.abortAll(new Error('over') as never)
  })

  it('of one flooding address never push out those of another', () => {
    const { unfinished, aborted, add } = table(4)
    const finish = add('10.0.0.9', 'honest')
    for (let index = 0; index < 50; index += 1) add('10.0.0.1', `flood-${index}`)
    expect(aborted).toHaveLength(47)
    expect(aborted.join()).not.toContain('honest')
    finish()
    unfinished.abortAll(new Error('over') as never)
    expect(aborted.join()).not.toContain('honest')
  })

  it('end when their time is up, and not when they finished before', async () => {
    const { unfinished, aborted, add } = table(4, 20)
    add('10.0.0.1', 'finished')()
    add('10.0.0.1', 'slow')
    await until(() => unfinished.count === 0)
    expect(aborted).toEqual(['slow timeout'])
  })

  it('are forgotten once they finish, twice or not', () => {
    const { unfinished, add } = table(2)
    for (let index = 0; index < 10_000; index += 1) add(`10.0.${index >> 8}.${index & 255}`, 'x')()
    expect(unfinished.count).toBe(0)
  })
})
