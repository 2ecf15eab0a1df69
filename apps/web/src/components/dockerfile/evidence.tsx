import type { DetectedApp } from '@slipway/contracts'

/** Which file told what, one line per file. */
export function EvidenceList({ evidence }: { evidence: DetectedApp['evidence'] }) {
  const byFile = new Map<string, string[]>()
  for (const { file, fact } of evidence) byFile.set(file, [...(byFile.get(file) ?? []), fact])
  return (
    <ul className="grid grid-cols-[minmax(0,1fr)] gap-1 text-[12.5px]">
      {[...byFile].map(([file, facts]) => (
        <li key={file} className="flex flex-wrap gap-x-2">
          <span className="min-w-0 break-all font-mono">{file}</span>
          <span className="min-w-0 break-words text-ink-2">{[...new Set(facts)].join(', ')}</span>
        </li>
      ))}
    </ul>
  )
}
