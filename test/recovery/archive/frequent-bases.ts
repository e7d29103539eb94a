/** Loaded before a primary: it writes a base every few entries, so a short test sees one. */
import { ManifestWriter } from '../../../primary/archiver/chain/manifest-writer.ts'
import { wrapMethod } from '../../bench/wrap.ts'

const EVERY = 6

wrapMethod(
  ManifestWriter.prototype,
  'append',
  (append) =>
    async function (this: ManifestWriter, change) {
      const state = await append.call(this, change)
      if (state.seq - state.base.seq >= EVERY) await this.writeBase()
      return this.state
    },
)
