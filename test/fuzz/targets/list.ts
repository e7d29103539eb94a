/** All targets. */
import type { Target } from '../target.ts'
import { ARGUMENT_TARGETS } from './arguments.ts'
import { BLOCK_TARGETS } from './blocks.ts'
import { SEGMENT_LOG_TARGETS } from './segment-log.ts'
import { WAL_TARGETS } from './wal.ts'
import { ARCHIVE_TARGETS } from './archive.ts'
import { BUCKET_TARGETS } from './bucket.ts'
import { CONFIG_TARGETS } from './config.ts'
import { DISK_TARGETS } from './disk.ts'
import { HTTP_TARGETS } from './http.ts'
import { LTX_TARGETS } from './ltx.ts'
import { MESSAGE_TARGETS } from './messages.ts'
import { SECRET_TARGETS } from './secrets.ts'
import { TOKEN_TARGETS } from './tokens.ts'
import { WIRE_TARGETS } from './wire.ts'

export const TARGETS: readonly Target[] = [
  ...TOKEN_TARGETS,
  ...WIRE_TARGETS,
  ...MESSAGE_TARGETS,
  ...LTX_TARGETS,
  ...BLOCK_TARGETS,
  ...DISK_TARGETS,
  ...SEGMENT_LOG_TARGETS,
  ...WAL_TARGETS,
  ...SECRET_TARGETS,
  ...ARCHIVE_TARGETS,
  ...BUCKET_TARGETS,
  ...CONFIG_TARGETS,
  ...ARGUMENT_TARGETS,
  ...HTTP_TARGETS,
]
