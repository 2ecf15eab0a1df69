export { AGENT_ANSWER_MS, answerSafely, keysAgent, type ServedAgent, type SshAgent, serveAgent, socketAgent } from './agents'
export { type KeyProblem, readPrivateKey, type SshKey } from './keys'
export { failure, MAX_MESSAGE, readQuestion } from './messages'
