import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { printable, table, Terminal } from '../../ops/terminal.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { capture } from './streams.ts'

describe('a terminal', () => {
  it('puts data on stdout and talk on stderr', async () => {
    const streams = capture()
    const terminal = new Terminal(streams, false)
    terminal.print('data')
    terminal.say('talk')
    await setImmediate()
    expect([streams.out(), streams.err()]).toEqual(['data\n', 'talk\n'])
  })

  it('answers with lines, or with one document where JSON was asked for', async () => {
    const [plain, json] = [capture(), capture()]
    new Terminal(plain, false).answer({ a: 1 }, ['one', 'two'])
    new Terminal(json, true).answer({ a: 1 }, ['one', 'two'])
    await setImmediate()
    expect([plain.out(), json.out()]).toEqual(['one\ntwo\n', '{"a":1}\n'])
  })

  it('shows what would leave its line, or turn it around, and JSON escapes it', async () => {
    const nasty = 'a\nverified  yes\u001b[2J\u009b1m\u202e\u2028\u{e0041}'
    const shown = 'a\\u{a}verified  yes\\u{1b}[2J\\u{9b}1m\\u{202e}\\u{2028}\\u{e0041}'
    const [plain, json] = [capture(), capture()]
    const terminal = new Terminal(plain, false)
    terminal.answer({}, [nasty, ...table([[nasty, 'x']])])
    terminal.say(nasty)
    terminal.fail(new MacaroondError('timeout', nasty, { hint: nasty }))
    new Terminal(json, true).answer({ nasty }, [])
    await setImmediate()
    expect(plain.out()).toBe(`${shown}\n${shown}  x\n`)
    expect(plain.err()).toBe(`${shown}\nmacaroond: ${shown} (timeout)\n  ${shown}\n`)
    expect(json.out()).toMatch(/^[\x20-\x7e]+\n$/)
    expect(JSON.parse(json.out())).toEqual({ nasty })
  })

  it('reports an error to people with its code and hint, on stderr', async () => {
    const streams = capture()
    const terminal = new Terminal(streams, false)
    terminal.fail(new MacaroondError('org_exists', 'org acme exists already', { hint: 'choose another name' }))
    await setImmediate()
    expect(terminal.status).toBe(5)
    expect(streams.out()).toBe('')
    expect(streams.err()).toBe('macaroond: org acme exists already (org_exists)\n  choose another name\n')
  })

  it('reports an error as one document on stdout where JSON was asked for', async () => {
    const streams = capture()
    new Terminal(streams, true).fail(new MacaroondError('timeout', 'nobody answered'))
    await setImmediate()
    expect(streams.err()).toBe('')
    expect(JSON.parse(streams.out())).toEqual({ error: { code: 'timeout', message: 'nobody answered' } })
  })

  it.each([
    ['colours a terminal', { isTTY: true }, true],
    ['does not colour a pipe', { isTTY: false }, false],
    ['does not colour where NO_COLOR is set', { isTTY: true, env: { NO_COLOR: '1' } }, false],
    ['colours where NO_COLOR is set to nothing', { isTTY: true, env: { NO_COLOR: '' } }, true],
    ['does not colour a dumb terminal', { isTTY: true, env: { TERM: 'dumb' } }, false],
  ])('%s', (_, options, coloured) => {
    const painted = new Terminal(capture(options), false).paint('red', 'no')
    expect(painted.includes('\u001b[31m')).toBe(coloured)
    expect(painted).toContain('no')
  })

  it('does not mind that nobody reads on', async () => {
    const streams = capture()
    const terminal = new Terminal(streams, false)
    streams.stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    terminal.print('more')
    expect(terminal.status).toBe(0)
  })
})

describe('printable', () => {
  it('leaves text of any language as it is', () => {
    expect(printable('Ünïcode, 日本語 and 🙂')).toBe('Ünïcode, 日本語 and 🙂')
  })

  it('shows control characters instead of obeying them', () => {
    expect(printable('\u001b[2Jgone\r\u0007')).toBe('\\u{1b}[2Jgone\\u{d}\\u{7}')
    expect(printable('right\u202eto left')).toBe('right\\u{202e}to left')
  })
})

describe('table', () => {
  it('makes columns as wide as their widest cell, and leaves no space at the end of a line', () => {
    expect(table([['A', 'BB'], ['long', 'x'], ['']])).toEqual(['A     BB', 'long  x', ''])
  })
})
