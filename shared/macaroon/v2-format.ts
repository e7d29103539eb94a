/** Version and field types of the V2 binary format (libmacaroons, doc/format.txt). FORMAT.md has the table. */

export const V2_VERSION = 2

export const FIELD_END = 0
export const FIELD_LOCATION = 1
export const FIELD_IDENTIFIER = 2
export const FIELD_VID = 4
export const FIELD_SIGNATURE = 6
