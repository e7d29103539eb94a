import { describe, expect, test } from 'vitest'
import { checkOwnCaveat } from '../../../shared/minting/caveat-mistakes.ts'

describe('a caveat that is written here', () => {
  test.each([
    'OP = read',
    'Op? = read',
    'Size <= 5',
    'Path? = /a',
    'PATH = /a',
    'TIME < 1790000000',
    'Time? < 1790000000',
    'Org = acme',
    'NOTE = x',
    'Unrevoked = x',
    'time-before = 2030-01-01T00:00:00Z',
    'Time-Before? < 5',
  ])('is refused where it reads like a reserved key: %s', (caveat) => {
    expect(() => checkOwnCaveat(caveat)).toThrow(expect.objectContaining({ code: 'caveat_malformed' }))
  })

  test.each([
    'time? < 1790000000',
    'staleness? < 5s',
    'note? = x',
    'tenant? = acme',
    'presented? = x',
    'unrevoked? = x',
    'time-before? 2030-01-01T00:00:00Z',
  ])('is refused with a question mark where no such form exists: %s', (caveat) => {
    expect(() => checkOwnCaveat(caveat)).toThrow(expect.objectContaining({ code: 'caveat_malformed' }))
  })

  test.each([
    ['paths = /a', 'is `path` meant?'],
    ['Regoin = fra', 'is `region` meant?'],
    ['subjct = alice', 'is `subject` meant?'],
    ['stalenes? = x', 'is `staleness` meant?'],
    ['tenants = acme', 'is `tenant` meant?'],
    ['time_before = x', 'is `time-before` meant?'],
    ['op in "read"', 'the quotes in `"read"`'],
    ["op in read,'write'", "the quotes in `'write'`"],
    ['region = “fra”', 'the quotes'],
    ['app = "web"', 'the quotes'],
    ['op = read # only', 'a caveat cannot contain a comment'],
    ['op = read // only', 'a caveat cannot contain a comment'],
    ['op = re\u200bad', 'an invisible character'],
    ['op = read,write', 'write `op in read,write`'],
  ])('gives a warning: %s', (caveat, warning) => {
    expect(checkOwnCaveat(caveat)).toEqual([expect.stringContaining(warning)])
  })

  test.each([
    'id = x',
    'os = linux',
    'up = 1',
    'node = n1',
    'site = x',
    'app? = web',
    'machine = m1',
    'appid = 7',
    'o = x',
    'op = read',
    'op? in read,write',
    'note = "quoted" # and commented',
    'path prefix /a/',
    'size <= 5',
    'tag = a#b',
    'time-before 2030-01-01T00:00:00Z',
    "subject = O'Brien",
    'subject = Doe, Jane',
    'unrevokable = yes',
  ])('is accepted without a warning: %s', (caveat) => {
    expect(checkOwnCaveat(caveat)).toEqual([])
  })
})
