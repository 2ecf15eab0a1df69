// What `npm start` builds, but the agent: used by infra/docker/Dockerfile.
import { buildService, buildWeb, generateClient } from '../start/builds.mjs'
import { createProgress } from '../start/progress.mjs'

const progress = createProgress()
await generateClient(progress)
for (const app of /** @type {const} */ (['registry', 'worker', 'cli'])) await progress.step(app, (step) => buildService(app, step))
await progress.step('web', buildWeb)
