/**
 * Makes the output of two runs equal: ids, keys, addresses, times and column widths are replaced, because they differ in every
 * run. Every word and every other number is compared as it is.
 */
const MASKS: readonly (readonly [RegExp, string])[] = [
  [/12D3Koo[1-9A-HJ-NP-Za-km-z]*…?/g, '<peer>'],
  [/mcn1_[\w-]*…?(\.[0-9a-f]{8}\b)?/g, '<token>'],
  [/\b\d+\.[0-9a-f]{16}\.[0-9a-f]{16}\b/g, '<position>'],
  [/\b[0-9a-f]{4,16}(\.[0-9a-f]{32}\b|…\.[0-9a-f]*…)/g, '<id>'],
  [/\b[0-9a-f]{64}\b/g, '<key>'],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{16}\b/g, '<number>'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)/g, '<time>'],
  [/\b\d\d:\d\d:\d\d UTC/g, '<time>'],
  [/time < \d{9,}/g, 'time < <time>'],
  [/"(issuedAt|expiresAt)":\d+/g, '"$1":<time>'],
  [/127\.0\.0\.1:\d+/g, '<address>'],
  [/\bpid"?[ :]\d+/g, 'pid <pid>'],
  [/\bversion \d\S*\d\b/g, 'version <version>'],
  [/\b(txid|revocation|revocationSeq)("?[ :])\d+/g, '$1$2<count>'],
  [/(?<!within )\b\d+(\.\d+)? (ms|s|min|h)\b/g, '<duration>'],
  [/\b\d+ behind\b/g, '<count> behind'],
  [/^\d+(?= +<time>| (token|subject|org|key) of )/gm, '<count>'],
  [/(?<=\S) {2,}/g, '  '],
  [/[ \t]+$/gm, ''],
]

export function masked(text: string): string {
  return MASKS.reduce((masking, [pattern, by]) => masking.replaceAll(pattern, by), text).trim()
}
