/**
 * Checks the subject of a new token. Subjects are compared byte by byte, so two that look alike are different subjects, and a
 * revocation of one misses the other. Such a subject is refused before a token is minted. Verifying and revoking accept any
 * bytes, because tokens with such subjects may exist.
 */
import { MacaroondError } from '../errors.ts'

/** White space that looks like a plain space. Not U+3000, which is as wide as the letters beside it and occurs in names. */
const ODD_SPACE = /[\u00a0\u1680\u2000-\u200a\u202f\u205f]/u
/**
 * Beside the classes of invisible characters: symbols and letters that are drawn as nothing, or as a mere place. They are the
 * blank of Braille, the placeholder of an object, a note without head, and the blanks of Egyptian hieroglyphs.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800\ufffc\u{1d159}\u{13441}\u{13442}]/u
/** Zero-width joiners and non-joiners between letters, which Persian and Indic scripts need. */
const JOINED = /(?<=[\p{L}\p{M}])[\u200c\u200d](?=[\p{L}\p{M}])/gu

/** Throws request_invalid for a subject that could be mistaken for another one. */
export function checkSubject(subject: string): void {
  const fault = subjectFault(subject)
  if (fault === undefined) return
  throw new MacaroondError('request_invalid', `the subject ${escaped(subject)} ${fault}`, {
    hint: 'subjects are compared byte by byte; to mint for exactly these bytes, use --subject-as-is (SDK: subjectAsIs)',
  })
}

/** The reason why the subject is refused, or undefined. */
function subjectFault(subject: string): string | undefined {
  if (!subject.isWellFormed()) return 'has half of a surrogate pair'
  if (subject.trim() !== subject) return 'begins or ends with white space'
  if (hasUnseen(subject)) return 'has an invisible control or format character'
  if (ODD_SPACE.test(subject)) return 'has white space that is not a plain space'
  const composed = subject.normalize('NFC')
  return composed === subject ? undefined : `is not in Unicode’s composed form (NFC), which is ${escaped(composed)}`
}

/** True if the text has a control character, a format character or another invisible one, except joiners inside words. */
export function hasUnseen(text: string): boolean {
  return UNSEEN.test(text.replaceAll(JOINED, ''))
}

/** The text in ASCII, because invisible characters may be the only difference to another subject. */
function escaped(text: string): string {
  return JSON.stringify(text).replaceAll(/[^\x20-\x7e]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)
}
