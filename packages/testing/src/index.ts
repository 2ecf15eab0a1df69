export { createTestDatabase, type TestDatabase } from './database'
export { freePort } from './ports'
export { startTestRedis, type TestRedis } from './redis'
