import { describe, expect, test } from 'vitest'
import { checkSubject } from '../../../shared/minting/subject.ts'

describe('a subject to mint for', () => {
  test.each([
    ['alice'],
    ['josé'.normalize('NFC')],
    ['Ünïcode 日本 太郎'],
    ['山田\u3000太郎'],
    ['می\u200cخواهم'],
    ['क्\u200dष'],
    ['svc:backup@eu-1/x'],
    ['a  b'],
  ])('is taken: %j', (subject) => {
    expect(() => checkSubject(subject)).not.toThrow()
  })

  test.each([
    ['josé'.normalize('NFD'), 'composed form (NFC), which is "jos\\u{e9}"'],
    ['\u212b', 'NFC'],
    [' alice', 'white space'],
    ['alice ', 'white space'],
    ['alice\u00a0', 'white space'],
    ['alice\u00a0b', 'not a plain space'],
    ['alice\nroot', 'control'],
    ['ali\u202ece', 'control or format'],
    ['ali\u200bce', 'control or format'],
    ['ali\u00adce', 'control or format'],
    ['alice\u200d', 'control or format'],
    ['\u200calice', 'control or format'],
    ['a\u200c\u200cb', 'control or format'],
    ['alice\ufe0f', 'control or format'],
    ['ali\u3164ce', 'control or format'],
    ['ali\u2800ce', 'invisible'],
    ['alice\ufffc', 'invisible'],
    ['ali\u{1d159}ce', 'invisible'],
    ['ali\u{13441}ce', 'invisible'],
    ['alice\ufeff', 'white space'],
    ['a\ud800', 'surrogate'],
  ])('is refused, and shown in ASCII: %j', (subject, why) => {
    const refusal = { code: 'request_invalid', message: expect.stringContaining(why), hint: expect.any(String) }
    expect(() => checkSubject(subject)).toThrow(expect.objectContaining(refusal))
    expect(() => checkSubject(subject)).toThrow(/^[\x20-\x7e’]+$/)
  })
})
