/** The table that people read, and the document that programs read. */
import type { Machine } from './machine.ts'

export interface Row {
  readonly section: string
  readonly name: string
  readonly unit: string
  readonly value: number
  /** What it should be; without one the row is there to be compared with its neighbours. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number } | { readonly below: number }
  /** The single rounds or what the value was made of, for those who doubt it. */
  readonly detail?: string
}

export interface Report {
  readonly mode: 'quick' | 'full'
  readonly machine: Machine
  readonly seconds: number
  readonly rows: readonly Row[]
  /** What could not be measured here, and how it can. */
  readonly notes: readonly string[]
}

/** Undefined for a row without a target. */
export function isMet({ target, value }: Row): boolean | undefined {
  if (target === undefined) return undefined
  if ('atLeast' in target) return value >= target.atLeast
  return 'atMost' in target ? value <= target.atMost : value < target.below
}

export function formatMachine({ cpu, cores, loadAverage, node, platform, syncMs }: Machine): string {
  const sync = `4 KB append + fdatasync p50 ${number(syncMs.p50)} ms, p99 ${number(syncMs.p99)} ms`
  return `${cpu}, ${cores} cores, load average ${loadAverage.join(' ')}, node ${node}, ${platform}; ${sync}`
}

export function formatTable(rows: readonly Row[]): string {
  const lines: string[] = []
  let section = ''
  for (const row of rows) {
    if (row.section !== section) lines.push('', (section = row.section))
    lines.push(formatRow(row))
  }
  return lines.join('\n')
}

function formatRow(row: Row): string {
  const value = `${number(row.value)} ${row.unit}`.trim()
  const columns = [
    `  ${row.name.padEnd(54)}`,
    value.padStart(20),
    targetText(row).padStart(14),
    verdictText(row).padEnd(6),
  ]
  return `${columns.join('  ')}${row.detail === undefined ? '' : `  ${row.detail}`}`.trimEnd()
}

function targetText({ target }: Row): string {
  if (target === undefined) return ''
  if ('atLeast' in target) return `>= ${number(target.atLeast)}`
  return 'atMost' in target ? `<= ${number(target.atMost)}` : `< ${number(target.below)}`
}

function verdictText(row: Row): string {
  const met = isMet(row)
  if (met === undefined) return ''
  return met ? 'met' : 'MISSED'
}

export function number(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 3
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}
