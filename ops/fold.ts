/** Folds lines between words, because a terminal breaks a longer line inside a word. */

/** Narrower terminals get lines of this width, and fold them themselves. */
const COLUMNS_MIN = 40

/** A longer word gets a line of its own. Continuations are indented by two more spaces than their line. */
export function foldLine(line: string, columns: number): readonly string[] {
  return fold(line.length, splitWords(line), Math.max(COLUMNS_MIN, columns), '')
}

/**
 * Folds the lines of a help text. A line that is a command ends with a backslash where it is folded, so that it can still be
 * copied; it is never folded inside quotes.
 */
export function foldHelp(text: string, columns: number): string {
  const width = Math.max(COLUMNS_MIN, columns)
  const lines = text.split('\n').flatMap((line) => {
    if (!/^ {2}(macaroond|export) /.test(line)) return fold(line.length, splitWords(line), width, '')
    return fold(line.length, splitArguments(line), width, ' \\')
  })
  return lines.join('\n')
}

interface Words {
  readonly indent: string
  readonly words: readonly string[]
}

function splitWords(line: string): Words {
  const indent = /^ */.exec(line)?.[0] ?? ''
  return { indent, words: line.slice(indent.length).split(' ') }
}

/** The words of a command; what stands in quotes is a part of its word. */
function splitArguments(line: string): Words {
  const indent = /^ */.exec(line)?.[0] ?? ''
  const words = line.slice(indent.length).match(/(?:'[^']*'|"[^"]*"|[^ ])+/g)
  return { indent, words: words ?? [] }
}

function fold(length: number, { indent, words }: Words, columns: number, mark: string): readonly string[] {
  if (length <= columns) return [indent + words.join(' ')]
  const result: string[] = []
  let current = indent
  for (const word of words) {
    const isEmpty = current.trim() === ''
    if (isEmpty || current.length + 1 + word.length + mark.length <= columns) {
      current += isEmpty ? word : ` ${word}`
      continue
    }
    result.push(current.trimEnd() + mark)
    current = `${indent}  ${word}`
  }
  return [...result, current]
}
