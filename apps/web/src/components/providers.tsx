'use client'
import { type LinkProps, LinkProvider, Toaster, TooltipProvider } from '@slipway/ui'
import NextLink from 'next/link'
import type { ReactNode } from 'react'
import { DataProvider } from '@/lib/trpc'

const RoutedLink = (props: LinkProps) => <NextLink {...props} />

export function Providers({ children }: { children: ReactNode }) {
  return (
    <DataProvider>
      <LinkProvider component={RoutedLink}>
        <TooltipProvider>
          {children}
          <Toaster />
        </TooltipProvider>
      </LinkProvider>
    </DataProvider>
  )
}
