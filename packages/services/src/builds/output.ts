/** A finished build's image, given out by its build host: also of a build that pushed nothing, as long as the image is there. */
import { agentError, engineStatus } from '@slipway/agent-client'
import { OWN_REGISTRY_HOST } from '@slipway/contracts'
import { AppError } from '@slipway/core'
import type { BuildRow } from '@slipway/db'
import type { Deps } from '../deps'
import type { Scope } from '../scope'
import type { BuildsService } from '../services'

type Load = (scope: Scope, app: string, number: number) => Promise<BuildRow>

export const outputMethods = (deps: Deps, load: Load): Pick<BuildsService, 'made' | 'output'> => ({
  async made(scope, { app, number }) {
    const reference = nameOf(scope, await load(scope, app, number))
    try {
      return { imageId: (await deps.agent.docker.getImage(reference).inspect()).Id }
    } catch (error) {
      throw engineStatus(error) === 404 ? gone(number, error) : agentError(error, `look at the image ${reference}`)
    }
  },

  async output(scope, { app, number, kind, platform, name }, signal) {
    const reference = nameOf(scope, await load(scope, app, number))
    const output = kind === 'files' ? { kind, platform } : { kind: 'archive' as const, format: kind, name }
    try {
      const stream = await deps.agent.imageOutput(reference, output, signal)
      return { stream, filename: `${app}-build-${number}.tar` }
    } catch (error) {
      throw error instanceof AppError && error.kind === 'not-found' && !platform ? gone(number, error) : error
    }
  },
})

/** The name that the pipeline gives each build's image on its host. */
function nameOf(scope: Scope, build: BuildRow): string {
  if (build.pullRequest !== null)
    throw new AppError({
      kind: 'conflict',
      code: 'BUILD_HAS_NO_IMAGE',
      message: `Build #${build.number} is of a pull request, whose image is not kept. Build the branch.`,
    })
  if (build.state !== 'succeeded')
    throw new AppError({ kind: 'conflict', code: 'BUILD_HAS_NO_IMAGE', message: `Build #${build.number} has no image.` })
  return `${OWN_REGISTRY_HOST}/${scope.organization}/${build.app.slug}:build-${build.number}`
}

const gone = (number: number, cause: unknown) =>
  new AppError({
    kind: 'not-found',
    code: 'BUILD_OUTPUT_GONE',
    message: `The image of build #${number} is not on the build host any more. Build again.`,
    cause,
  })
