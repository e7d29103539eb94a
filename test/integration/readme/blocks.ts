/** The README's fenced blocks: each must say, in a comment before it, which test runs it. */
export interface Block {
  readonly name: string
  readonly language: string
  readonly code: string
}

const FENCE = /(?:<!-- test: ([\w.-]+) -->\n\n)?^```(\w*)\n([\s\S]*?)^```$/gm

export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(FENCE)].map(([, name = '', language = '', code = '']) => ({ name, language, code }))
}

/** Lines of a shell block with the exit status each promises: `# exit N` in the line, else 0. */
export function shellLines(code: string): { readonly line: string; readonly status: number }[] {
  const lines = code.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  return lines.map((line) => ({ line, status: Number(/# exit (\d)/.exec(line)?.[1] ?? 0) }))
}
