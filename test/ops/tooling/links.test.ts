/** Links between the pages of this repository: each leads to a file, and each anchor to a heading of it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './project.ts'

/** Pages at the top and in these folders. */
const FOLDERS = ['docs', 'ops', 'shared', 'test']

const pages = [
  ...readdirSync(ROOT).filter((name) => name.endsWith('.md')),
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  ),
]

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')
const withoutCode = (text: string): string => text.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '`')

/** The anchors of a page: those of its headings, as the hosts of repositories make them, and those that it names. */
function anchorsOf(page: string): ReadonlySet<string> {
  const text = read(page).replaceAll(/^```[\s\S]*?^```$/gm, '')
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
  return new Set([...headings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id)])
}

function brokenLinksOf(page: string): readonly string[] {
  const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? page : relative(ROOT, join(ROOT, dirname(page), path))
    if (!existsSync(join(ROOT, target))) return true
    return anchor !== undefined && !anchorsOf(target).has(anchor)
  })
}

test('every page links only to files and headings that are there', () => {
  expect(pages).toContain('README.md')
  const broken = pages.flatMap((page) => brokenLinksOf(page).map((link) => `${page}: ${link}`))
  expect(broken).toEqual([])
})

test('every page of docs is linked from the README or from a page beside it', () => {
  const linked = new Set(
    ['README.md', ...pages.filter((page) => page.startsWith('docs/'))].flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#\s]+)/g)].map(([, link = '']) => join(dirname(page), link)),
    ),
  )
  expect(pages.filter((page) => page.startsWith('docs/') && !linked.has(page))).toEqual([])
})
