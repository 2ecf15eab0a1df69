'use client'
import { PageHead, Segmented } from '@slipway/ui'
import { GitBranch, Package, Rocket } from 'lucide-react'
import { useState } from 'react'
import { Examples } from './examples'
import { FromGit } from './from-git'
import { FromImage } from './from-image'

export type Source = 'git' | 'image' | 'example'

/** A new app: from a repository, from an image, or from one of the examples. */
export function NewApp({ org, source: first, image }: { org: string; source: Source; image: string }) {
  const [source, setSource] = useState<Source>(first)
  return (
    <div className="mx-auto grid w-full max-w-[760px] grid-cols-[minmax(0,1fr)] gap-5">
      <PageHead title="New app" />
      <Segmented
        label="Where it comes from"
        className="justify-self-start"
        value={source}
        onChange={setSource}
        segments={[
          { value: 'git', label: 'Git repository', icon: <GitBranch aria-hidden /> },
          { value: 'image', label: 'Image', icon: <Package aria-hidden /> },
          { value: 'example', label: 'Example', icon: <Rocket aria-hidden /> },
        ]}
      />
      {source === 'git' && <FromGit org={org} />}
      {source === 'image' && <FromImage org={org} image={image} />}
      {source === 'example' && <Examples org={org} />}
    </div>
  )
}
