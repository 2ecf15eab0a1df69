'use client'
import { Field, Input } from '@slipway/ui'
import { PasswordInput } from './password-input'

type Values = Record<'name' | 'email' | 'password', string>

interface AccountFieldsProps {
  values: Values
  errors: Partial<Values>
  set: (key: keyof Values, value: string) => void
}

/** What every new account is asked for. */
export function AccountFields({ values, errors, set }: AccountFieldsProps) {
  return (
    <>
      <Field label="Your name" error={errors.name}>
        {(c) => (
          <Input {...c} name="name" autoComplete="name" autoFocus value={values.name} onChange={(e) => set('name', e.target.value)} />
        )}
      </Field>
      <Field label="E-mail" error={errors.email}>
        {(c) => (
          <Input
            {...c}
            type="email"
            name="email"
            autoComplete="username"
            value={values.email}
            onChange={(e) => set('email', e.target.value)}
          />
        )}
      </Field>
      <Field label="Password" error={errors.password} hint="At least 10 characters.">
        {(c) => (
          <PasswordInput
            {...c}
            name="password"
            autoComplete="new-password"
            value={values.password}
            onChange={(e) => set('password', e.target.value)}
          />
        )}
      </Field>
    </>
  )
}
