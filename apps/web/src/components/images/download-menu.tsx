'use client'
import { Button, Menu, MenuItem } from '@slipway/ui'
import { Container, Download, Package } from 'lucide-react'
import { routes } from '@/lib/routes'

/** The image as a file. The browser's own download: it shows the progress, and it can be ended there. */
export function DownloadMenu({ org, repository, reference }: { org: string; repository: string; reference: string }) {
  const get = (format: 'oci' | 'docker') => window.location.assign(routes.imageArchive(org, repository, reference, format))
  return (
    <Menu trigger={<Button icon={<Download aria-hidden />}>Download</Button>}>
      <MenuItem icon={<Container aria-hidden />} onSelect={() => get('docker')}>
        Docker archive, for docker load
      </MenuItem>
      <MenuItem icon={<Package aria-hidden />} onSelect={() => get('oci')}>
        OCI archive, for skopeo and podman
      </MenuItem>
    </Menu>
  )
}
