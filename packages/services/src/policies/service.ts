import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Actor, Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** Rules and limits of an organization's registry. */
export interface PoliciesService {
  quota(scope: Scope): Promise<views.OwnQuotaView>
  /** These two are for those who run the installation. */
  quotas(scope: Scope): Promise<views.OrganizationQuotaView[]>
  setQuota(scope: Scope, input: Of<typeof inputs.setQuota>): Promise<views.OrganizationQuotaView[]>
  rules(scope: Scope): Promise<views.TagRuleView[]>
  addRule(scope: Scope, input: Of<typeof inputs.addTagRule>): Promise<views.TagRuleView[]>
  removeRule(scope: Scope, input: Of<typeof inputs.removeTagRule>): Promise<views.TagRuleView[]>
  retention(scope: Scope): Promise<views.RetentionView>
  setRetention(scope: Scope, input: Of<typeof inputs.setRetention>): Promise<views.RetentionView>
  /** A page of what would go and why the rest stays; nothing is removed. */
  previewRetention(scope: Scope, input: Of<typeof inputs.previewRetention>): Promise<views.RetentionPreviewPage>
  /** Now instead of at its time; a worker does it. */
  runRetention(scope: Scope): Promise<views.RetentionView>
  /** For the worker: makes what is due and does what is open, until `signal`. */
  runOpen(signal: AbortSignal): Promise<void>
}

/** One repository: its rules, what it says of itself, its name. */
export interface RepositoriesService {
  policies(scope: Scope, input: Of<typeof inputs.movedRepository>): Promise<views.RepositoryPoliciesView>
  addRule(scope: Scope, input: Of<typeof inputs.addRepositoryRule>): Promise<views.RepositoryPoliciesView>
  removeRule(scope: Scope, input: Of<typeof inputs.removeRepositoryRule>): Promise<views.RepositoryPoliciesView>
  setRetention(scope: Scope, input: Of<typeof inputs.setRepositoryRetention>): Promise<views.RepositoryPoliciesView>
  /** The same for this one, a page of it: it may have any number of tags. */
  previewRetention(scope: Scope, input: Of<typeof inputs.previewRepositoryRetention>): Promise<views.RetentionPreviewPage>
  about(scope: Scope, input: Of<typeof inputs.movedRepository>): Promise<views.RepositoryAboutView>
  setAbout(scope: Scope, input: Of<typeof inputs.setAbout>): Promise<views.RepositoryAboutView>
  /** The old name goes on leading here. */
  rename(scope: Scope, input: Of<typeof inputs.renameRepository>): Promise<{ name: string }>
  /** To another organization, whose registry the caller manages too. */
  transfer(scope: Scope, input: Of<typeof inputs.transferRepository>): Promise<{ org: string; name: string }>
  /** With all images; not while apps need one, nor past a rule that keeps a tag. */
  delete(scope: Scope, input: Of<typeof inputs.deleteRepository>): Promise<{ name: string }>
  forgetName(scope: Scope, input: Of<typeof inputs.forgetName>): Promise<views.RepositoryPoliciesView>
  /** Where a repository is now that had this name; null when that is nowhere the caller may look. */
  moved(actor: Actor, input: z.infer<typeof inputs.movedRepository>): Promise<{ org: string; repository: string } | null>
}
