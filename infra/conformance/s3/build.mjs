// Builds the S3 server that the registry's store is tested against, once for each state of the pinned versions (go.mod, go.sum).
import { buildPinned } from '../pinned.mjs'

/** @param {import('../../start/progress.mjs').Step} step @returns {Promise<string>} the program */
export const buildS3Server = (step) =>
  buildPinned({
    name: 's3',
    folder: new URL('.', import.meta.url).pathname,
    program: 'github.com/versity/versitygw/cmd/versitygw',
    what: 'Building the S3 server that the registry’s store is tested against',
    step,
  })
