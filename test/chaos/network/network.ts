/** A run needs this of a network: hosts that find each other, and cuts between two of them that can be shown to take effect. */

/** Which way packets are lost, seen from the host that loses them: those that come, those that go, or both. */
export type Direction = 'in' | 'out' | 'both'

export interface Cut {
  /** The host at which packets are lost. */
  readonly at: string
  readonly other: string
  readonly direction: Direction
}

export interface Network {
  readonly kind: 'namespaces' | 'proxies'
  /** `host:port` that a node on `name` listens on. */
  readonly listenAddress: (name: string) => string
  /** `host:port` at which `from` reaches the node on `to`. */
  readonly dialAddress: (from: string, to: string) => Promise<string>
  /** Words that run a command on that host. */
  readonly on: (name: string) => readonly string[]
  readonly cut: (cut: Cut) => void
  /** Takes back all cuts at a host; how much they kept back, in packets or chunks. */
  readonly heal: (at: string) => number
  readonly remove: () => Promise<void>
}
