const NAMES = new Set(
  (
    'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU ' +
    'URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'
  ).split(' '),
)

export const SIGNAL_NAMES = [...NAMES].map((name) => `SIG${name}`)

/** As Docker's STOPSIGNAL: `SIGTERM`, `term`, `15`, `SIGRTMIN+3`. */
export function isSignal(text: string): boolean {
  if (/^\d{1,3}$/.test(text)) return Number(text) >= 1 && Number(text) <= 64
  const name = text.toUpperCase().replace(/^SIG/, '')
  const realtime = /^(RTMIN\+|RTMAX-)(\d{1,2})$/.exec(name)
  return NAMES.has(name) || (realtime !== null && Number(realtime[2]) >= 1 && Number(realtime[2]) <= (name.startsWith('RTMIN') ? 15 : 14))
}
