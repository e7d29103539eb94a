/** The one error of readers of segment files. */
import { MacaroondError } from '../errors.ts'

/** Builds a segment_corrupt error: what is wrong, and at which byte of the file. */
export function segmentCorrupt(what: string, offset: number): MacaroondError {
  return new MacaroondError('segment_corrupt', `corrupt segment: ${what} (at byte ${offset})`, {
    hint: 'the segment is refused as a whole: fetch it again, or restore this file from another copy',
  })
}
