export { giveContext } from './give'
export { StatCache } from './stat-cache'
export { type ContextTarget, Uploader } from './upload'
export { type Context, type ContextBudget, type ContextFile, walkContext } from './walk'
