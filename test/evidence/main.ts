/** `npm run evidence`: writes EVIDENCE.md anew. */
import { writeFileSync } from 'node:fs'
import { gathered, PAGE } from './gathered.ts'
import { pageOf } from './page.ts'

writeFileSync(PAGE, pageOf(gathered()))
