/**
 * SIGHUP of a node, from before it reads its configuration. Without a listener the signal ends the process, and a node may take
 * seconds to start: the program that prints its key-encryption key may ask for a password.
 */
export class Hangups {
  #due = false
  #reload: (() => void) | undefined

  /** Listens from now on. */
  constructor() {
    process.on('SIGHUP', () => this.#hangup())
  }

  /** Calls `reload` at each SIGHUP, and at once if one came before. The configuration may be older than that one. */
  reloadWith(reload: () => void): void {
    this.#reload = reload
    if (this.#due) reload()
  }

  #hangup(): void {
    this.#due = true
    this.#reload?.()
  }
}
