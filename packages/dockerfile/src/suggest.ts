/** Edit distance with adjacent swaps (`FORM` is one step from `FROM`); inputs are cut at 40 characters. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (beforeLast[j - 2] ?? 0) + 1)
      row.push(best)
    }
    beforeLast = last
    last = row
  }
  return last[b.length] ?? 0
}

/** The option the user most likely meant, or null when none is near (more than a third of the letters differ). */
export function suggest(word: string, options: Iterable<string>): string | null {
  const wanted = word.slice(0, 40).toLowerCase()
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const option of options) {
    const d = distance(wanted, option.slice(0, 40).toLowerCase())
    if (d < bestDistance) {
      best = option
      bestDistance = d
    }
  }
  return best
}

export const didYouMean = (word: string, options: Iterable<string>, format = (s: string) => s): string | undefined => {
  const found = suggest(word, options)
  return found === null ? undefined : `Did you mean ${format(found)}?`
}
