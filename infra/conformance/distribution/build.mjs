// Builds the official suite of the OCI distribution specification, once for each state of the pinned versions (go.mod, go.sum).
import { buildPinned } from '../pinned.mjs'

/** @param {import('../../start/progress.mjs').Step} step @returns {Promise<string>} the program */
export const buildSuite = (step) =>
  buildPinned({
    name: 'distribution',
    folder: new URL('.', import.meta.url).pathname,
    program: 'github.com/opencontainers/distribution-spec/conformance',
    what: 'Building the conformance suite of the OCI distribution specification',
    step,
  })
