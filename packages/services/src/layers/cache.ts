/** Keeps what is dear to make, bounded by its weight; the longest unused goes first. Several who ask at once wait for one. */
export function createCache<T>(limit: number, weigh: (value: T) => number) {
  const kept = new Map<string, T>()
  const making = new Map<string, Promise<T>>()
  let weight = 0
  return {
    async get(key: string, make: () => Promise<T>): Promise<T> {
      const there = kept.get(key)
      if (there !== undefined) {
        kept.delete(key)
        kept.set(key, there)
        return there
      }
      const already = making.get(key)
      if (already) return already
      const made = make()
      making.set(key, made)
      try {
        const value = await made
        kept.set(key, value)
        weight += weigh(value)
        for (const [old, one] of kept) {
          if (weight <= limit) break
          kept.delete(old)
          weight -= weigh(one)
        }
        return value
      } finally {
        making.delete(key)
      }
    },
  }
}
