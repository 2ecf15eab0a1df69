import { newId } from '@slipway/core'
import type { Tx } from './client'

export const listProjects = (db: Tx, organizationId: string) =>
  db.project.findMany({ where: { organizationId }, orderBy: { createdAt: 'asc' } })

export const findProject = (db: Tx, organizationId: string, slug: string) => db.project.findFirst({ where: { organizationId, slug } })

export const createProject = (tx: Tx, organizationId: string, data: { slug: string; name: string }) =>
  tx.project.create({ data: { id: newId('project'), organizationId, ...data } })
