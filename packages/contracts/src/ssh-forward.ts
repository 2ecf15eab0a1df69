/**
 * A build's questions to the SSH agent of who started it, over Redis between worker and API. The worker tells one again and again until
 * it is answered; the API says that somebody listens, then what was answered. Messages of the agent protocol, without their length.
 */
import * as z from 'zod'

/** As OpenSSH's agent, in base64. */
const message = z.base64().min(1).max(349_528)

export const sshRequest = z.object({ ask: z.uuid(), id: z.string().max(200), message })
export type SshRequest = z.infer<typeof sshRequest>

/** Without a message: somebody listens. */
export const sshAnswer = z.object({ ask: z.uuid(), message: message.optional() })
export type SshAnswer = z.infer<typeof sshAnswer>
