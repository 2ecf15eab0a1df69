/** What makes a Dockerfile where there is none: a file of its own, because most builds do without. */
export { makeDockerfile } from '@slipway/context'
