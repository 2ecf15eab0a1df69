import type { InputHTMLAttributes, Ref, TextareaHTMLAttributes } from 'react'
import { cn } from './cn'

export const controlStyle =
  'w-full rounded-sm border border-line-strong bg-surface px-2.5 text-ink text-sm shadow-card transition-colors duration-120 placeholder:text-ink-3 hover:border-ink-3 focus-visible:border-accent focus-visible:outline-1 focus-visible:outline-accent focus-visible:outline-offset-0 disabled:cursor-not-allowed disabled:bg-sunken disabled:text-ink-3 aria-invalid:border-fail aria-invalid:focus-visible:outline-fail'

export function Input({
  className,
  mono,
  ...rest
}: InputHTMLAttributes<HTMLInputElement> & { mono?: boolean; ref?: Ref<HTMLInputElement> }) {
  return <input className={cn(controlStyle, 'h-8', mono && 'font-mono text-[12.5px]', className)} autoComplete="off" {...rest} />
}

export function Textarea({
  className,
  mono,
  ...rest
}: TextareaHTMLAttributes<HTMLTextAreaElement> & { mono?: boolean; ref?: Ref<HTMLTextAreaElement> }) {
  return <textarea className={cn(controlStyle, 'min-h-20 py-1.5', mono && 'font-mono text-[12.5px]', className)} {...rest} />
}
