'use client'
import { useCallback, useEffect, useState } from 'react'

/** Copies text and says so for a moment. Falls back to a selection where the clipboard API is refused (plain http on a LAN address). */
export function useCopy(): { copied: boolean; run: (text: string) => void } {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 1600)
    return () => clearTimeout(timer)
  }, [copied])
  const run = useCallback((text: string) => {
    write(text).then(setCopied)
  }, [])
  return { copied, run }
}

async function write(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    area.style.position = 'fixed'
    area.style.opacity = '0'
    document.body.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}
