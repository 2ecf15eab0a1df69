/** @typedef {{ name: string, ok: boolean }} Check */

/**
 * The checks of a TAP stream. Numbers that differ from run to run (temporary directories, processes) are taken out of the
 * names, so that two runs can be compared. Some programs print no check at all, but an error when something is wrong: that
 * counts as a failed check.
 * @returns {Check[]}
 */
export function parseTap(/** @type {string} */ text) {
  const checks = []
  const complaints = []
  for (const line of text.split('\n')) {
    const match = line.match(/^\s*(not )?ok\b\s*\d*\s*(?:- )?(.*)$/)
    const complaint = line.match(/^\s*"error": "(.+)"/)
    if (complaint) complaints.push({ ok: false, name: complaint[1].replace(/\d{4,}/g, 'N') })
    if (match) checks.push({ ok: !match[1], name: match[2].replace(/\d{4,}/g, 'N') })
  }
  return checks.length > 0 ? checks : complaints
}

export function count(/** @type {Check[]} */ checks) {
  const ok = checks.filter((check) => check.ok).length
  return { ok, notOk: checks.length - ok }
}
