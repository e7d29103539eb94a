/** CLOCK_MONOTONIC in milliseconds: the same for every process of this machine, whatever namespace it is in. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
