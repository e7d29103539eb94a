/** The cause of each failure on record, and its fix, by the sentence that the run printed. */
export const CAUSES: Readonly<Record<string, string>> = {
  'seed 5846: V2: sin is not fresh again: unavailable':
    'The simulator’s fault: a primary that stopped in order waited three seconds for a replica without power, and what restores it was not run while the regions were looked at. It is now. The wait is the silence after which any peer counts as gone.',
  'seed 7615: archive: transaction 000000000000000b is inside a merged file':
    'The simulator’s fault: the age of a transaction was counted from its answer, which waited for an archive that was away; retention counts from the commit. It is counted from the call now.',
  'seed 8099: archive: transaction 0000000000000006 is inside a merged file':
    'The same, with an answer that waited for the leases of services that were cut off.',
}
