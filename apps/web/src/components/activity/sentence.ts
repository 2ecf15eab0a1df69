import type { views } from '@slipway/contracts'

/** What was done, between who did it and what it was done to. */
const DEEDS: Record<string, string> = {
  'apiKey.create': 'made the API key',
  'apiKey.revoke': 'revoked the API key',
  'app.create': 'created the app',
  'app.delete': 'deleted the app',
  'app.setVariables': 'set the variables of',
  'app.start': 'started',
  'app.stop': 'stopped',
  'app.update': 'changed the settings of',
  'blob.damaged': 'found damaged or lost, and took out of service, the layer',
  'build-cache.clear': 'cleared of the build cache',
  'build-policy.set': 'changed what the build cache keeps on',
  'build.cancel': 'canceled the build',
  'build.upload': 'built from a laptop',
  'build.trigger': 'started a build of',
  'deployment.cancel': 'canceled the deployment',
  'deployment.create': 'deployed',
  'deployment.rollback': 'rolled back',
  'image.delete': 'deleted the image',
  'image.push': 'pushed',
  'member.add': 'added the member',
  'login.end': 'ended a login to the registry of',
  'organization.create': 'created the organization',
  'outgoing.create': 'made the webhook',
  'outgoing.delete': 'removed the webhook',
  'outgoing.disable': 'turned off the failing webhook',
  'outgoing.redeliver': 'sent a delivery again to',
  'outgoing.rotateSecret': 'renewed the secret of the webhook',
  'outgoing.test': 'sent a test to',
  'outgoing.update': 'changed the webhook',
  'project.create': 'created the project',
  'repository.create': 'made the repository',
  'registry.verify': 'had all bytes checked of the',
  'registry.verifyCancel': 'stopped the check of the',
  'repository.inspect': 'looked at the repository',
  'robot.create': 'made the robot',
  'robot.delete': 'deleted the robot',
  'robot.disable': 'disabled the robot',
  'robot.enable': 'enabled the robot',
  'robot.rotate': 'gave a new secret to the robot',
  'robot.update': 'changed what it may do, or until when, of the robot',
  'share.create': 'shared by a link',
  'share.revoke': 'revoked a link to',
  'tag.delete': 'deleted the tag',
  'upstream.add': 'set up the upstream',
  'upstream.change': 'changed the upstream',
  'upstream.empty': 'emptied the cache of',
  'upstream.remove': 'removed the upstream',
  'webhook.rotateSecret': 'renewed the webhook secret of',
  'quota.set': 'set the limits of',
  'repository.describe': 'described the repository',
  'repository.forgetName': 'gave up an old name of the repository',
  'repository.receive': 'took in the repository',
  'repository.rename': 'renamed a repository to',
  'repository.transfer': 'gave away the repository',
  'retention.clean': 'cleaned up the repository',
  'retention.run': 'started retention in',
  'retention.set': 'changed the retention of',
  'tagRule.create': 'made the tag rule',
  'tagRule.delete': 'removed the tag rule',
}

/** An action that has no words yet is told by its name: `host.drain` → `drain host`. */
export function deedOf({ action }: Pick<views.AuditView, 'action'>): string {
  const known = DEEDS[action]
  if (known) return known
  const [thing = '', verb = ''] = action.split('.')
  return `${verb} ${thing}`
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toLowerCase()
    .trim()
}
