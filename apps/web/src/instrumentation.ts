/** Once per server process, before the first request. */
export async function register() {
  // biome-ignore lint/style/noProcessEnv: a constant that the bundler puts in, so that no other runtime gets this code
  if (process.env.NEXT_RUNTIME !== 'nodejs') return
  const [{ writeClientAddresses }, { TrustedProxies }, { env }] = await Promise.all([
    import('./server/client-address'),
    import('@slipway/services'),
    import('./env'),
  ])
  writeClientAddresses(new TrustedProxies(env().SLIPWAY_TRUSTED_PROXIES))
  const { prepare, stopOnSignal } = await import('./server/prepare')
  stopOnSignal()
  await prepare()
}
