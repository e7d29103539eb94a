/** What a node prints on stdout, as one JSON line, when it is ready. */
export interface ReadyLine {
  readonly ready: true
  readonly role: 'primary' | 'replica'
  readonly pid: number
  readonly address: string
  readonly peerId: string
}
