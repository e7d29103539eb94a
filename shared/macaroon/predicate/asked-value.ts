/**
 * One value of an access, as the types of caveats read it. Each reading is made once and only if a caveat needs it, however
 * many caveats compare the value: a holder chooses how many there are.
 */
import { type Interval, parseInterval } from './interval.ts'
import { type Network, parseNetworkAddress } from './network.ts'
import { isPlainPath } from './path.ts'

export class AskedValue {
  readonly text: string
  #interval: { readonly read: Interval | undefined } | undefined
  #address: { readonly read: Network | undefined } | undefined
  #isPlainPath: boolean | undefined

  constructor(text: string) {
    this.text = text
  }

  /** A whole number or a range of them. */
  get interval(): Interval | undefined {
    this.#interval ??= { read: parseInterval(this.text) }
    return this.#interval.read
  }

  /** An IP address. */
  get address(): Network | undefined {
    this.#address ??= { read: parseNetworkAddress(this.text) }
    return this.#address.read
  }

  get isPlainPath(): boolean {
    this.#isPlainPath ??= isPlainPath(this.text)
    return this.#isPlainPath
  }
}
