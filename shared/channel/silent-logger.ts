/**
 * The logger given to libp2p, which logs nothing. The libraries' own logger obeys environment variables and can print private
 * and session keys, which must never reach a log.
 */
import type { ComponentLogger, Logger } from '@libp2p/interface'

function nothing(): void {}

export const silentLogger: Logger = Object.assign(nothing.bind(undefined), {
  error: nothing,
  trace: nothing,
  enabled: false,
  newScope: (): Logger => silentLogger,
})

export const silentComponentLogger: ComponentLogger = { forComponent: () => silentLogger }
