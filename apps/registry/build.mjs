import { bundle } from '@slipway/config/bundle.mjs'

await bundle(import.meta.url, { ingest: 'src/store/ingest.mjs' })
