/**
 * The logger handed to libp2p: it says nothing. The libraries' own one listens to environment variables and, asked to,
 * prints private and session keys; nothing of that may ever reach a log of ours.
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
