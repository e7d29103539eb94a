/** The line of progress: who sees it, when, and that nothing of it is left. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { bytesText, countText } from '../../ops/progress.ts'
import { Terminal } from '../../ops/terminal.ts'
import { systemClock } from '../../shared/clock.ts'
import { type Captured, capture } from './streams.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
  vi.spyOn(systemClock, 'monotonicMs').mockImplementation(() => Date.now())
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** Work that reports at 0.5, 1.5 and 4 seconds, and ends at 5. */
async function worked(streams: Captured, json: boolean, during: (terminal: Terminal) => void = () => undefined) {
  const terminal = new Terminal(streams, json)
  const ended = terminal.during('checking', async (report) => {
    for (const [ms, done] of [
      [500, '1 of 9 files'],
      [1_000, '2 of 9 files'],
      [2_500, '3 of 9 files'],
      [1_000, ''],
    ] as const) {
      await vi.advanceTimersByTimeAsync(ms)
      if (done !== '') report(done)
      if (done === '3 of 9 files') during(terminal)
    }
    return 'done'
  })
  expect(await ended).toBe('done')
  await vi.advanceTimersByTimeAsync(10_000)
}

describe('progress', () => {
  it('is one line from the first second on, with what is done and for how long, and is erased', async () => {
    const streams = capture({ isTTY: true })
    await worked(streams, false)
    const shown = streams.err().split('\r\u001b[K').slice(1)
    expect(shown).toEqual([
      'checking: 1 of 9 files, 1 s',
      'checking: 2 of 9 files, 1 s',
      'checking: 2 of 9 files, 2 s',
      'checking: 2 of 9 files, 3 s',
      'checking: 2 of 9 files, 4 s',
      'checking: 3 of 9 files, 5 s',
      '',
    ])
    expect(streams.out()).toBe('')
  })

  it.each([
    ['a pipe', false, false],
    ['a terminal under --json', true, true],
  ])('is never printed to %s', async (_, isTTY, json) => {
    const streams = capture({ isTTY })
    await worked(streams, json)
    expect([streams.out(), streams.err()]).toEqual(['', ''])
  })

  it('is erased before anything else is printed, and by an error', async () => {
    const streams = capture({ isTTY: true })
    await worked(streams, false, (terminal) => terminal.say('a warning'))
    expect(streams.err()).toContain('4 s\r\u001b[Ka warning\n')
    const failing = capture({ isTTY: true })
    const terminal = new Terminal(failing, false)
    const ended = terminal.during('checking', async () => {
      await vi.advanceTimersByTimeAsync(2_000)
      throw new Error('no')
    })
    await expect(ended).rejects.toThrow('no')
    expect(failing.err().endsWith('checking, 2 s\r\u001b[K')).toBe(true)
  })

  it('is cut at the width of the terminal, and shows no control character', () => {
    const streams = capture({ isTTY: true })
    const stderr = Object.assign(streams.stderr, { columns: 20 })
    const terminal = new Terminal({ ...streams, stderr }, false)
    terminal.progress(`looked at\u001b[2J ${'x'.repeat(40)}`)
    terminal.print('row')
    expect(streams.err()).toBe('\r\u001b[Klooked at\\u{1b}[2J \r\u001b[K')
  })
})

it('counts have their unit, and bytes a share where the total is known', () => {
  expect(countText(1_204, 5_000, 'files')).toBe('1,204 of 5,000 files')
  expect(bytesText(12_345_678, 45_600_000)).toBe('12.3 of 45.6 MB (27 %)')
  expect(bytesText(999_999, 1_000_000)).toBe('1.0 of 1.0 MB (99 %)')
  expect([bytesText(0, 0), bytesText(2_000_000)]).toEqual(['0.0 of 0.0 MB (100 %)', '2.0 MB'])
})
