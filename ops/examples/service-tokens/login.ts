/** A login service for people: it discharges for minutes, and a machine cannot use it. */
import { createDischarger, nodeListener, systemEntropy } from '../../../shared/library.ts'
import { movableClock, printLine, serve } from '../shared/service.ts'

const clock = movableClock()
/** People stay logged in for minutes; a machine that copies a discharge has no more time than that. */
const GOOD_FOR_SECONDS = 300
/**
 * The key that services share with this one to add login caveats. It comes from the environment, which other users cannot see.
 */
const sharedKey = Buffer.from(process.env['LOGIN_KEY'] ?? '', 'hex')

serve((url) => {
  const { handle } = createDischarger({
    location: url,
    keys: [{ sharedKey }],
    clock,
    entropy: systemEntropy,
    check: (condition, request) => {
      if (request.headers.get('authorization') !== 'Bearer alice is here') return { refused: 'log in first' }
      printLine({ discharged: condition })
      return { caveats: [`time < ${Math.floor(clock.wallMs() / 1000) + GOOD_FOR_SECONDS}`] }
    },
  })
  return nodeListener(handle)
})
