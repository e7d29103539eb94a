/**
 * The entries of the package that need Node import this module first: it throws node_too_old before any other module of ours
 * runs. `macaroond/holder` does not, because browsers load it.
 */
import { nodeTooOld } from './node-version.ts'

const problem = nodeTooOld(process.versions.node)
if (problem !== null) throw problem
