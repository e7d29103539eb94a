import type { Service } from '../service/run-service.ts'
import type { MetricsOptions } from './metrics-door.ts'

export interface ServiceMetrics extends Omit<MetricsOptions, 'address'> {
  readonly address: string | undefined
}

/**
 * The service, with its metrics while it runs; without an address it is as it was, and none of the code is loaded. Where
 * the door cannot open the service is stopped, and this throws port_in_use, request_invalid or io_failed.
 */
export async function withMetrics(service: Service, { address, ...options }: ServiceMetrics): Promise<Service> {
  if (address === undefined) return service
  const { MetricsDoor } = await import('./metrics-door.ts')
  const door = await MetricsDoor.open({ address, ...options }).catch(async (error: unknown) => {
    await service.stop()
    throw error
  })
  options.log.info({ address: door.address }, 'metrics are at /metrics')
  return {
    failed: service.failed,
    reload: () => service.reload(),
    stop: async () => {
      await door.close()
      await service.stop()
    },
  }
}
