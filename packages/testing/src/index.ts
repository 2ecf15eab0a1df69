export { createTestDatabase, type TestDatabase } from './database'
export { startGitServer, type TestGitServer } from './git-server'
export { freePort } from './ports'
export { startTestRedis, type TestRedis } from './redis'
