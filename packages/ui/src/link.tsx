'use client'
import { type AnchorHTMLAttributes, type ComponentType, createContext, type ReactNode, type Ref, useContext } from 'react'

export interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  href: string
  ref?: Ref<HTMLAnchorElement>
}

const PlainLink = (props: LinkProps) => <a {...props} />
const LinkContext = createContext<ComponentType<LinkProps>>(PlainLink)

/** Lets the app give its router's link to every component here, so that this package knows no router. */
export function LinkProvider({ component, children }: { component: ComponentType<LinkProps>; children: ReactNode }) {
  return <LinkContext value={component}>{children}</LinkContext>
}

/** A link through the app's router; addresses of other sites open as plain anchors in a new tab. */
export function Link(props: LinkProps) {
  const Routed = useContext(LinkContext)
  if (/^https?:/.test(props.href)) return <a target="_blank" rel="noreferrer" {...props} />
  return <Routed {...props} />
}
