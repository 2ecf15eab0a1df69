/** An SPDX document as the image's page shows it: written by Slipway, or by anyone who may push (Syft and BuildKit write alike). */
import type { SpdxDocument, views } from '@slipway/contracts'

/** The page asks for all at once and searches in them itself. */
const SHOWN = 5000

interface Layer {
  position: number
  digest: string
  diffId: string | null
}

export function sbomView(spdx: SpdxDocument, layers: Layer[]): Omit<views.SbomView, keyof views.AttachedView> {
  const licences = new Map((spdx.hasExtractedLicensingInfos ?? []).map((info) => [info.licenseId, info.name ?? info.licenseId]))
  const files = new Map((spdx.files ?? []).map((file) => [file.SPDXID, file]))
  const evidence = new Map<string, string>()
  for (const { spdxElementId, relatedSpdxElement } of spdx.relationships ?? []) {
    if (files.has(relatedSpdxElement) && !evidence.has(spdxElementId)) evidence.set(spdxElementId, relatedSpdxElement)
  }
  const layerOf = (comment: string | null | undefined): number | null => {
    const digest = /^layerID: (\S+)$/.exec(comment ?? '')?.[1]
    return layers.find((layer) => digest !== undefined && (layer.diffId === digest || layer.digest === digest))?.position ?? null
  }
  // The document's own subject is no package of it.
  const all = spdx.packages.filter((one) => one.primaryPackagePurpose !== 'CONTAINER')
  const typed = all.map((one) => {
    const purl = one.externalRefs?.find((ref) => ref.referenceType === 'purl')?.referenceLocator ?? null
    return { one, purl, type: /^pkg:([a-z0-9.+-]+)\//i.exec(purl ?? '')?.[1]?.toLowerCase() ?? null }
  })
  const counts = new Map<string, number>()
  for (const { type } of typed) counts.set(type ?? 'other', (counts.get(type ?? 'other') ?? 0) + 1)
  return {
    tools: (spdx.creationInfo.creators ?? []).flatMap((creator) => /^Tool: (.+)$/.exec(creator)?.[1] ?? []),
    packages: typed.slice(0, SHOWN).map(({ one, purl, type }) => {
      const file = files.get(evidence.get(one.SPDXID) ?? '')
      return {
        type,
        name: one.name,
        version: one.versionInfo || null,
        license: licence(one, licences),
        purl,
        path: file?.fileName ?? null,
        layer: layerOf(file?.comment),
      }
    }),
    total: all.length,
    types: [...counts].map(([type, count]) => ({ type, count })).sort((a, b) => b.count - a.count || a.type.localeCompare(b.type)),
    notes: spdx.comment ? spdx.comment.split('\n').slice(0, 20) : [],
  }
}

function licence({ licenseDeclared, licenseConcluded }: SpdxDocument['packages'][number], names: Map<string, string>): string | null {
  const told = [licenseDeclared, licenseConcluded].find((text) => text && text !== 'NOASSERTION' && text !== 'NONE')
  return told ? told.replace(/LicenseRef-[\w.-]+/g, (id) => names.get(id) ?? id) : null
}
