/** Adds a metrics server to a node's service. */
import type { Service } from '../service/run-service.ts'
import type { MetricsOptions } from './metrics-server.ts'

export interface ServiceMetrics extends Omit<MetricsOptions, 'address'> {
  readonly address: string | undefined
}

/**
 * Returns the service with a metrics server that runs as long as it does. Without an address it returns the service unchanged
 * and loads no code. If the server cannot start, this stops the service and throws port_in_use, request_invalid or io_failed.
 */
export async function withMetrics(service: Service, { address, ...options }: ServiceMetrics): Promise<Service> {
  if (address === undefined) return service
  const { MetricsServer } = await import('./metrics-server.ts')
  const server = await MetricsServer.open({ address, ...options }).catch(async (error: unknown) => {
    await service.stop()
    throw error
  })
  options.log.info({ address: server.address }, 'metrics are at /metrics')
  return {
    failed: service.failed,
    reload: (by) => service.reload(by),
    stop: async () => {
      await server.close()
      await service.stop()
    },
  }
}
