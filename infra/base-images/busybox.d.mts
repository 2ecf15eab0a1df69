import type { Image } from './image.mjs'

/** The image by itself, from the cache if it is there. */
export function busyboxImage(step: { detail: (text: string) => void }): Promise<Image & { version: string }>
