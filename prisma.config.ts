import { defineConfig } from 'prisma/config'

// The URL is read only by migrate; generate works without a database.
export default defineConfig({
  schema: 'prisma/schema',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? 'postgresql://unset' },
})
