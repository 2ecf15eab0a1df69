/** `2.4 s · 7 of 9 cached`: the time first, once, even where the proof already begins with it. */
export function joinProof(duration: string | null, proof: string | null): string {
  if (!proof) return duration ?? ''
  if (!duration || /^\d[\d.]* (?:ms|s|min|h)\b/.test(proof)) return proof
  return `${duration} · ${proof}`
}
