/** The logger that a service may give to an SDK. An SDK logs few lines, and never a token. */

/**
 * A logger of the service. One of pino, bunyan or `console` fits as it is. An SDK passes fields that can be written as JSON,
 * and a message without variables. An error that the logger throws has no effect on the SDK.
 */
export interface ServiceLogger {
  readonly debug: (fields: object, message: string) => void
  readonly info: (fields: object, message: string) => void
  readonly warn: (fields: object, message: string) => void
  readonly error: (fields: object, message: string) => void
}

/** Log of the connections to one node. A pino logger fits as it is. */
export interface ConnectionLog {
  readonly debug: (message: string) => void
  readonly warn: (fields: object, message: string) => void
}

/** A logger that never throws. Without `logger` it logs nothing. */
export function safeLogger(logger: ServiceLogger | undefined): ServiceLogger {
  const write = (level: keyof ServiceLogger) => (fields: object, message: string) => {
    try {
      logger?.[level](fields, message)
    } catch {
      // Nothing is left to report to.
    }
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

/** The log of a connection, whose lines have `fields` that name it. They are read for each line. */
export function connectionLog(logger: ServiceLogger, fields: () => object): ConnectionLog {
  return {
    debug: (message) => logger.debug(fields(), message),
    warn: (details, message) => logger.warn({ ...fields(), ...details }, message),
  }
}
