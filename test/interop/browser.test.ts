/** `macaroond/holder` in a real browser: in a page, and in a worker, which has no document either. */
import { beforeAll, describe, expect, it } from 'vitest'
import { ANSWERING, bundled } from '../shared/holder/bundled.ts'
import { answersOf } from '../shared/holder/case.ts'
import { allCases, attenuatedVectors, boundVectors, type Expected, NATIVE } from '../shared/holder/cases.ts'
import { chromium, loadPage } from './browser.ts'

const cases = allCases()
const vectors: readonly Expected[] = [...attenuatedVectors(), ...boundVectors()]

const PAGE = `<!doctype html><meta charset="utf-8"><script type="module">
  import './holder.js'
  const cases = await (await fetch('/cases.json')).json()
  const ofPage = answersOf(cases)
  const worker = new Worker('/worker.js', { type: 'module' })
  const ofWorker = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data)
    worker.onerror = (event) => reject(new Error(event.message))
    worker.postMessage(cases)
  }).catch((error) => String(error))
  const node = [typeof Buffer, typeof process, typeof require]
  await fetch('/done', { method: 'POST', body: JSON.stringify({ ofPage, ofWorker, node }) })
</script>`
const WORKER = "import './holder.js'\nonmessage = ({ data }) => postMessage(answersOf(data))\n"

interface Answers {
  readonly ofPage: readonly string[]
  readonly ofWorker: readonly string[]
  readonly node: readonly string[]
}

describe('macaroond/holder in headless Chromium', () => {
  let found: Answers = { ofPage: [], ofWorker: [], node: [] }

  beforeAll(async () => {
    console.log(`${chromium().version}: ${cases.length} cases, ${vectors.length} of them vectors`)
    const { code } = await bundled(ANSWERING, 'esm')
    const acts = [...cases, ...vectors.map(({ act }) => act)]
    const files = { '/': PAGE, '/holder.js': code, '/worker.js': WORKER, '/cases.json': JSON.stringify(acts) }
    found = JSON.parse(await loadPage(files)) as Answers
  })

  it('runs where nothing of Node is', () => {
    expect(found.node).toEqual(['undefined', 'undefined', 'undefined'])
  })

  it('answers every case in a page like the library of nodes', () => {
    expect(found.ofPage.slice(0, cases.length)).toEqual(answersOf(NATIVE, cases))
  })

  it('answers every case in a worker like the library of nodes', () => {
    expect(found.ofWorker).toEqual(found.ofPage)
  })

  it('reproduces the vectors byte for byte', () => {
    const answers = found.ofPage.slice(cases.length).map((answer) => JSON.parse(answer) as unknown)
    expect(answers).toHaveLength(vectors.length)
    for (const [index, { answer, name }] of vectors.entries()) expect(answers[index], name).toMatchObject(answer)
  })
})
