/** The JSON line that a node prints on stdout when it is ready. */
export interface ReadyLine {
  readonly ready: true
  readonly role: 'primary' | 'replica'
  readonly pid: number
  readonly address: string
  readonly peerId: string
}
