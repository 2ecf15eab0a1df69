'use client'
import { type InputHTMLAttributes, type Ref, type TextareaHTMLAttributes, useImperativeHandle, useRef } from 'react'
import { cn } from './cn'
import { useEarlyText } from './early-text'

export const controlStyle =
  'w-full rounded-sm border border-line-strong bg-surface px-2.5 text-ink text-sm shadow-card transition-colors duration-120 placeholder:text-ink-3 hover:border-ink-3 focus-visible:border-accent focus-visible:outline-1 focus-visible:outline-accent focus-visible:outline-offset-0 disabled:cursor-not-allowed disabled:bg-sunken disabled:text-ink-3 aria-invalid:border-fail aria-invalid:focus-visible:outline-fail'

/** A field of its own, which whoever asked for it sees, too. */
function useField<E extends HTMLInputElement | HTMLTextAreaElement>(outer: Ref<E> | undefined, drawn: unknown) {
  const own = useRef<E>(null)
  useImperativeHandle(outer, () => own.current as E, [])
  useEarlyText(own, drawn)
  return own
}

export function Input({
  className,
  mono,
  ref,
  ...rest
}: InputHTMLAttributes<HTMLInputElement> & { mono?: boolean; ref?: Ref<HTMLInputElement> }) {
  const own = useField(ref, rest.value ?? rest.defaultValue)
  return <input ref={own} className={cn(controlStyle, 'h-8', mono && 'font-mono text-[12.5px]', className)} autoComplete="off" {...rest} />
}

export function Textarea({
  className,
  mono,
  ref,
  ...rest
}: TextareaHTMLAttributes<HTMLTextAreaElement> & { mono?: boolean; ref?: Ref<HTMLTextAreaElement> }) {
  const own = useField(ref, rest.value ?? rest.defaultValue)
  return <textarea ref={own} className={cn(controlStyle, 'min-h-20 py-1.5', mono && 'font-mono text-[12.5px]', className)} {...rest} />
}
