export { type Context, type ContextInit, clientIp, createContext, type ErrorLog, isSameOrigin } from './context'
export { imageArchive } from './image-archive'
export { type AppRouter, appRouter, createCaller, type RouterInputs, type RouterOutputs } from './root'
export type { ErrorData } from './trpc'
