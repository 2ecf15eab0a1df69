'use client'
const KEY = 'slipway-organization'

/** The organization that was open last in this browser; a convenience, nothing is granted by it. */
export const lastOrganization = (): string | null => localStorage.getItem(KEY)
export const rememberOrganization = (slug: string) => localStorage.setItem(KEY, slug)
