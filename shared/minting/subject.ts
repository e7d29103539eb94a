/**
 * Subjects for a mint. They are compared byte by byte, so two that look alike are two people, and a revocation by name misses
 * one of them. Refused here, before a token is made: whoever verifies or revokes takes any bytes, because they exist.
 */
import { MacaroondError } from '../errors.ts'

/** White space that looks like a space and is none; U+3000 is as wide as the letters beside it, and part of names. */
const ODD_SPACE = /[\u00a0\u1680\u2000-\u200a\u202f\u205f]/u
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u
/** Zero-width joiners and non-joiners between letters: spelling, in Persian and in Indic scripts. */
const JOINED = /(?<=[\p{L}\p{M}])[\u200c\u200d](?=[\p{L}\p{M}])/gu

/** Throws request_invalid. */
export function checkSubject(subject: string): void {
  const fault = subjectFault(subject)
  if (fault === undefined) return
  throw new MacaroondError('request_invalid', `the subject ${escaped(subject)} ${fault}`, {
    hint: 'subjects are compared byte by byte; to mint for exactly these bytes, say --subject-as-is (SDK: subjectAsIs)',
  })
}

/** What is wrong with it, or undefined. */
function subjectFault(subject: string): string | undefined {
  if (!subject.isWellFormed()) return 'has half of a surrogate pair'
  if (subject.trim() !== subject) return 'begins or ends with white space'
  if (hasUnseen(subject)) return 'has a control or format character, which nobody sees'
  if (ODD_SPACE.test(subject)) return 'has white space that is not the usual space'
  const composed = subject.normalize('NFC')
  return composed === subject ? undefined : `is not in Unicode’s composed form (NFC), which is ${escaped(composed)}`
}

/** True for control characters, format characters and whatever else nobody sees, joiners inside of words apart. */
export function hasUnseen(text: string): boolean {
  return UNSEEN.test(text.replaceAll(JOINED, ''))
}

/** In ASCII, since the difference to another subject may be in what nobody sees. */
function escaped(text: string): string {
  return JSON.stringify(text).replaceAll(/[^\x20-\x7e]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
}
