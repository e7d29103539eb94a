/**
 * A queue whose callers and orgs take turns, bounded in items and characters. Each item counts against its caller and its org.
 * The next item belongs to the caller and org with the fewest turns, so neither many orgs of one caller nor many callers of one
 * org delay others. If there is no room, the newest item of the caller or org with the most items is dropped.
 */
export interface Share {
  readonly caller: string
  /** Empty if the item has no org. */
  readonly org: string
  /** Size in memory while it waits, in characters. */
  readonly chars: number
}

export interface FairQueueOptions<T> {
  readonly itemsMax: number
  readonly charsMax: number
  readonly shareOf: (item: T) => Share
}

/** A caller or an org that has, or had, items here. */
interface Party {
  turns: number
  items: number
  chars: number
}

interface Lane<T> {
  readonly caller: Party
  readonly org: Party
  readonly items: T[]
}

/** Parties without items that are remembered, so that a caller that returns after each turn does not count as new. */
const PARTIES_KEPT_MAX = 4_096

export class FairQueue<T> {
  readonly #options: FairQueueOptions<T>
  readonly #lanes = new Map<string, Lane<T>>()
  readonly #parties = new Map<string, Party>()
  /** Turns of the last party that was served. A new party starts with this number, so that it is not ahead of all others. */
  #turns = 0
  #items = 0
  #chars = 0

  constructor(options: FairQueueOptions<T>) {
    this.#options = options
  }

  get size(): number {
    return this.#items
  }

  get chars(): number {
    return this.#chars
  }

  /** Adds an item. Returns the items that were dropped for lack of room, which may include this one. */
  add(item: T): readonly T[] {
    const { itemsMax, charsMax } = this.#options
    this.#put(item, 'last')
    const out: T[] = []
    while (this.#items > itemsMax || this.#chars > charsMax) {
      const lane = this.#heaviest(this.#items > itemsMax ? 'items' : 'chars')
      const newest = lane.items.at(-1) as T
      this.#drop(newest, 'last')
      out.push(newest)
    }
    return out
  }

  take(): T | undefined {
    const lane = this.#next()
    const item = lane?.items[0]
    if (lane === undefined || item === undefined) return undefined
    this.#turns = turnsOf(lane)
    lane.caller.turns = this.#turns + 1
    lane.org.turns = this.#turns + 1
    this.#drop(item, 'first')
    return item
  }

  /** Puts a taken item back at the front of its caller and org, if it was not served after all. */
  giveBack(item: T): void {
    this.#put(item, 'first')
    const { caller, org } = this.#laneOf(item)
    for (const party of [caller, org]) party.turns = Math.min(party.turns, this.#turns)
  }

  /** Takes all waiting items, without regard to turns. */
  takeAll(): readonly T[] {
    const all = [...this.#lanes.values()].flatMap(({ items }) => items)
    this.#lanes.clear()
    this.#parties.clear()
    this.#items = 0
    this.#chars = 0
    return all
  }

  #put(item: T, at: 'first' | 'last'): void {
    const { chars } = this.#options.shareOf(item)
    const lane = this.#laneOf(item)
    if (at === 'last') lane.items.push(item)
    else lane.items.unshift(item)
    this.#count(lane, 1, chars)
  }

  #drop(item: T, at: 'first' | 'last'): void {
    const { caller, org, chars } = this.#options.shareOf(item)
    const key = laneName(caller, org)
    const lane = this.#laneOf(item)
    if (at === 'last') lane.items.pop()
    else lane.items.shift()
    this.#count(lane, -1, -chars)
    // Re-inserted at the end: lanes with equal turns are served in the order of their last turns.
    this.#lanes.delete(key)
    if (lane.items.length > 0) this.#lanes.set(key, lane)
  }

  #count(lane: Lane<T>, items: number, chars: number): void {
    this.#items += items
    this.#chars += chars
    for (const party of [lane.caller, lane.org]) {
      party.items += items
      party.chars += chars
    }
  }

  #laneOf(item: T): Lane<T> {
    const { caller, org } = this.#options.shareOf(item)
    const key = laneName(caller, org)
    const known = this.#lanes.get(key)
    if (known !== undefined) return known
    const ofOrg = org === '' ? `no org ${caller}` : `org ${org}`
    const lane = { caller: this.#partyOf(`caller ${caller}`), org: this.#partyOf(ofOrg), items: [] }
    this.#lanes.set(key, lane)
    return lane
  }

  #partyOf(name: string): Party {
    const known = this.#parties.get(name)
    if (known !== undefined) {
      if (known.items === 0) known.turns = Math.max(known.turns, this.#turns)
      return known
    }
    if (this.#parties.size >= PARTIES_KEPT_MAX) this.#forgetIdle()
    const party = { turns: this.#turns, items: 0, chars: 0 }
    this.#parties.set(name, party)
    return party
  }

  #forgetIdle(): void {
    for (const [name, { items }] of this.#parties) if (items === 0) this.#parties.delete(name)
  }

  #next(): Lane<T> | undefined {
    let next: Lane<T> | undefined
    for (const lane of this.#lanes.values()) if (next === undefined || turnsOf(lane) < turnsOf(next)) next = lane
    return next
  }

  #heaviest(by: 'items' | 'chars'): Lane<T> {
    const weight = ({ caller, org }: Lane<T>): number => Math.max(caller[by], org[by])
    const lanes = [...this.#lanes.values()]
    return lanes.reduce((most, lane) => {
      const more = weight(lane) - weight(most) || lane.items.length - most.items.length
      return more > 0 ? lane : most
    })
  }
}

function turnsOf({ caller, org }: Lane<unknown>): number {
  return Math.max(caller.turns, org.turns)
}

function laneName(caller: string, org: string): string {
  return `${caller}\n${org}`
}
