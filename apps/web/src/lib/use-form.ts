'use client'
import { useCallback, useState } from 'react'
import type { z } from 'zod'
import { readError } from './errors'

/**
 * Values of a form and what is wrong with them. `check` parses with the procedure's own schema, so that a form
 * accepts exactly what the server accepts; `refuse` puts the server's words beside the inputs they are about.
 */
export function useForm<T extends object>(initial: T) {
  const [values, setValues] = useState(initial)
  const [errors, setErrors] = useState<Record<string, string>>({})
  const [dirty, setDirty] = useState(false)

  const set = useCallback(<K extends keyof T & string>(key: K, value: T[K]) => {
    setValues((old) => ({ ...old, [key]: value }))
    setDirty(true)
    setErrors((old) => {
      if (!(key in old)) return old
      const { [key]: _, ...rest } = old
      return rest
    })
  }, [])

  const reset = useCallback((next: T) => {
    setValues(next)
    setErrors({})
    setDirty(false)
  }, [])

  /** `named`: the input's name of a path in the schema, where they differ. */
  const check = useCallback(<S extends z.ZodType>(schema: S, input: unknown, named = (path: string) => path): z.output<S> | null => {
    const result = schema.safeParse(input)
    if (result.success) {
      setErrors({})
      return result.data
    }
    const found: Record<string, string> = {}
    for (const issue of result.error.issues) found[named(issue.path.join('.'))] ??= issue.message
    setErrors(found)
    focusFirstInvalid()
    return null
  }, [])

  const refuse = useCallback((error: unknown) => {
    const { fields } = readError(error)
    if (Object.keys(fields).length === 0) return
    setErrors(fields)
    focusFirstInvalid()
  }, [])

  return { values, set, reset, errors, setErrors, check, refuse, dirty, setDirty }
}

function focusFirstInvalid() {
  requestAnimationFrame(() => document.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus())
}
