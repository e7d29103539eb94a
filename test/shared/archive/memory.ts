/** An archive in memory: each call is one step, so a test can stand between any two of them. */
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'

export class MemoryStorage implements ArchiveStorage {
  readonly location = 'memory'
  readonly isBucket = false
  readonly objects: Map<string, Buffer>
  /** Called before each write; throws where the process is killed. */
  before: (call: 'put' | 'create' | 'delete', key: string) => void | Promise<void> = () => undefined

  constructor(objects: Map<string, Buffer> = new Map()) {
    this.objects = objects
  }

  list: ArchiveStorage['list'] = async (prefix) =>
    [...this.objects.keys()]
      .filter((key) => key.startsWith(prefix))
      .toSorted()
      .map((key) => ({ key, bytes: this.objects.get(key)?.length ?? 0, timestampMs: 0 }))

  get: ArchiveStorage['get'] = async (key) => this.objects.get(key)

  put: ArchiveStorage['put'] = async (key, content) => {
    await this.before('put', key)
    this.objects.set(key, Buffer.from(content as Uint8Array))
  }

  create: ArchiveStorage['create'] = async (key, bytes) => {
    await this.before('create', key)
    if (this.objects.has(key)) return false
    this.objects.set(key, Buffer.from(bytes))
    return true
  }

  delete: ArchiveStorage['delete'] = async (key) => {
    await this.before('delete', key)
    this.objects.delete(key)
  }

  sweep: ArchiveStorage['sweep'] = async () => undefined
}
