/** The wall clock of one process, moved while it runs by libfaketime (Debian's package of that name). Its monotonic clock stays true. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const LIBRARY = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map((machine) => `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`)
  .find((path) => existsSync(path))

export function fakeTimeMissing(): string | undefined {
  return LIBRARY === undefined ? 'libfaketime is not there: apt-get install -y libfaketime' : undefined
}

export class FakeTime {
  readonly #file: string

  private constructor(file: string) {
    this.#file = file
  }

  static at(folder: string, name: string): FakeTime {
    const fake = new FakeTime(join(folder, `${name}.time`))
    fake.move(0)
    return fake
  }

  /** For the process whose clock it is; empty where the library is missing. */
  get env(): Readonly<Record<string, string>> {
    if (LIBRARY === undefined) return {}
    return {
      LD_PRELOAD: LIBRARY,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      // It looks into its file again after that many seconds.
      FAKETIME_CACHE_DURATION: '1',
    }
  }

  /** Seconds away from the true time; 0 is the true time. */
  move(seconds: number): void {
    const sign = seconds < 0 ? '-' : '+'
    writeFileSync(this.#file, `${sign}${Math.abs(seconds)}\n`)
  }
}
