import { CliError, EXIT } from './errors'

/** `localhost:3000` and `https://slipway.example.com/` → an origin to call. */
export function serverUrl(text: string): string {
  const withScheme = /^https?:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(withScheme)) throw new CliError(EXIT.usage, 'USAGE', `"${text}" is no address.`, 'Write it as http://localhost:3000.')
  const url = new URL(withScheme)
  if (url.username || url.password)
    throw new CliError(EXIT.usage, 'USAGE', 'Put no password into the address.', 'The API key is given by slipway login.')
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}
