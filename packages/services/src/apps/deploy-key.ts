/** The key of an app for Git servers over SSH: Ed25519 when it is made here, also RSA or ECDSA when it is given; its private half sealed like a token. */
import { AppError } from '@slipway/core'
import { updateApp } from '@slipway/db'
import { type KeyProblem, readPrivateKey } from '@slipway/outbound/ssh'
import ssh2 from 'ssh2'
import { audit } from '../audit'
import { announce, type Deps } from '../deps'
import { assertMay } from '../roles'
import type { Scope } from '../scope'
import type { AppsService } from '../services'
import { loadApp } from './load'

const { utils } = ssh2

interface KeyPair {
  /** In OpenSSH's format, or as PEM. */
  private: string
  /** One line, as a Git server takes it. */
  public: string
}

/** `label`: what the Git server shows beside the key. */
export const newDeployKey = (label: string): KeyPair => utils.generateKeyPairSync('ed25519', { comment: label })

/** Throws AppError DEPLOY_KEY_INVALID with what to do. */
export function readDeployKey(text: string, label: string): KeyPair {
  const trimmed = `${text.replaceAll('\r\n', '\n').trim()}\n`
  const read = readPrivateKey(trimmed)
  if ('problem' in read) throw new AppError({ kind: 'bad-input', code: 'DEPLOY_KEY_INVALID', message: `${PROBLEMS[read.problem]} ${MAKE}` })
  const { type, public: blob } = read.key
  return { private: trimmed, public: `${type} ${blob.toString('base64')} ${label}` }
}

const MAKE = 'Make one with ssh-keygen -t ed25519, without a passphrase, and give the private half.'
const PROBLEMS: Record<KeyProblem, string> = {
  unreadable: 'This is no private key in OpenSSH’s format or PEM.',
  passphrase: 'This key has a passphrase, for which a build cannot ask.',
  kind: 'Keys are Ed25519, RSA or ECDSA.',
  short: 'RSA keys have 2048 to 16384 bits.',
}

export const deployKeyLabel = (organization: string, app: string) => `slipway-${organization}-${app}`

export const sealDeployKey = (deps: Pick<Deps, 'sealer'>, owner: { organizationId: string; id: string }, pair: KeyPair) => ({
  deployKey: deps.sealer.seal(pair.private, { kind: 'deployKey', ...owner }),
  deployKeyPublic: pair.public,
})

export const deployKeyMethod =
  (deps: Deps, get: AppsService['get']): AppsService['setDeployKey'] =>
  async (scope: Scope, { app: slug, key }) => {
    assertMay(scope, 'change')
    const { organizationId } = scope
    const app = await loadApp(deps.db, scope, slug)
    if (app.source === 'image')
      throw new AppError({
        kind: 'conflict',
        code: 'APP_RUNS_AN_IMAGE',
        message: 'This app runs an image and is not built, so it needs no deploy key.',
      })
    const label = deployKeyLabel(scope.organization, app.slug)
    const pair = key === null ? null : key === undefined ? newDeployKey(label) : readDeployKey(key, label)
    const data = pair ? sealDeployKey(deps, { organizationId, id: app.id }, pair) : { deployKey: null, deployKeyPublic: null }
    await deps.db.$transaction(async (tx) => {
      await updateApp(tx, organizationId, app.id, data)
      const action = pair ? 'app.setDeployKey' : 'app.removeDeployKey'
      await audit(tx, scope, action, { type: 'app', id: app.id, label: app.name }, { made: key === undefined })
    })
    announce(deps, { organizationId, appId: app.id })
    return get(scope, { app: slug })
  }
