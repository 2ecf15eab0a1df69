'use client'
import { type RefObject, useLayoutEffect } from 'react'

type Field = HTMLInputElement | HTMLTextAreaElement

/**
 * Tells what somebody wrote into a field before the page was alive. The server sends the form, people (and password managers) write at
 * once, and React, which comes later, hears of none of it: the field would show a text that its form does not know. It is told as if it
 * were written now, and that the field was left, when it was. `drawn`: what the server wrote into it.
 */
export function useEarlyText(ref: RefObject<Field | null>, drawn: unknown): void {
  // Once, when it comes alive: afterwards React knows what is in the field.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useLayoutEffect(() => {
    const field = ref.current
    const before = typeof drawn === 'string' || typeof drawn === 'number' ? String(drawn) : ''
    if (!field || !isText(field) || field.value === before || field.value === asTaken(field, before)) return
    const { value: written, selectionStart, selectionEnd } = field
    // All fields have been looked at by then: with the first one that is told, the form is drawn again with what it knows. Not from
    // within an effect, where React answers an event only later, and before anything else happens: who leaves another field now makes
    // the form act on what it knows.
    queueMicrotask(() => {
      if (!field.isConnected) return
      const here = document.activeElement === field
      write(field, before, written)
      if (here && selectionStart !== null) field.setSelectionRange(selectionStart, selectionEnd)
      field.dispatchEvent(new Event('input', { bubbles: true }))
      // Behind what the other fields of the form tell.
      if (!here) setTimeout(() => field.dispatchEvent(new FocusEvent('focusout', { bubbles: true })))
    })
  }, [])
}

/** React compares with the last value that went in through the field's own setter, and takes `before` for that one. */
function write(field: Field, before: string, written: string): void {
  const prototype = field instanceof HTMLTextAreaElement ? HTMLTextAreaElement.prototype : HTMLInputElement.prototype
  field.value = before
  Object.getOwnPropertyDescriptor(prototype, 'value')?.set?.call(field, written)
}

/** A field may change what it is given by itself: line ends, spaces around an address. */
function asTaken(field: Field, text: string): string {
  const like = field.cloneNode() as Field
  like.value = text
  return like.value
}

const isText = (field: Field) => field instanceof HTMLTextAreaElement || !['checkbox', 'radio', 'file'].includes(field.type)
