/** The pages of docs/reference with the functions that write them. */
import { join } from 'node:path'
import { ROOT } from '../gathered.ts'
import { commandsPage } from './commands-page.ts'
import { configurationPage } from './configuration-page.ts'
import { errorsPage } from './errors-page.ts'

const FOLDER = join(ROOT, 'docs/reference')

export const REFERENCE_PAGES: Readonly<Record<string, () => string | Promise<string>>> = {
  [join(FOLDER, 'commands.md')]: commandsPage,
  [join(FOLDER, 'configuration.md')]: configurationPage,
  [join(FOLDER, 'errors.md')]: errorsPage,
}
