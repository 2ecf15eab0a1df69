// What a person sees while Slipway starts: one line per step with its time. On a terminal the running steps turn below the
// finished ones; elsewhere (CI, systemd) there are plain lines, with a sign of life every 30 seconds.

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const LIFE_SIGN_MS = 30_000

/** @param {number} ms */
export function duration(ms) {
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

/**
 * @typedef {{ detail: (text: string) => void }} Step shows what a running step is at
 * @typedef {ReturnType<typeof createProgress>} Progress
 */

/** @param {{ stream?: NodeJS.WriteStream, now?: () => number }} [options] */
export function createProgress({ stream = process.stdout, now = Date.now } = {}) {
  const tty = Boolean(stream.isTTY)
  const color = tty && !process.env.NO_COLOR
  const paint = (code, text) => (color ? `\u001b[${code}m${text}\u001b[0m` : text)
  /** @type {Set<{ title: string, since: number, detail: string, said: number }>} */
  const running = new Set()
  let frame = 0
  let drawn = 0
  let timer

  const erase = () => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[0J`)
    drawn = 0
  }
  const draw = () => {
    if (!tty) return
    erase()
    const width = stream.columns ?? 80
    for (const step of running) {
      const line = `${FRAMES[frame]} ${step.title} ${duration(now() - step.since)}${step.detail ? `  ${step.detail}` : ''}`
      stream.write(`${line.slice(0, width - 1)}\n`)
      drawn += 1
    }
  }
  const tick = () => {
    frame = (frame + 1) % FRAMES.length
    if (tty) return draw()
    for (const step of running) {
      if (now() - step.said < LIFE_SIGN_MS) continue
      step.said = now()
      stream.write(`  … ${step.title}, ${duration(now() - step.since)} so far${step.detail ? ` (${step.detail})` : ''}\n`)
    }
  }
  const line = (text = '') => {
    erase()
    stream.write(`${text}\n`)
    draw()
  }

  return {
    line,
    /** A line about something that happened by itself, with the time of day. */
    event(text) {
      line(`${paint('2', new Date(now()).toTimeString().slice(0, 8))} ${text}`)
    },
    bold: (text) => paint('1', text),
    /**
     * Runs one step. What `work` returns (if it is text) stands behind the title: “already there”, “3 packages”.
     * @template T
     * @param {string} title @param {(step: Step) => Promise<T>} work @returns {Promise<T>}
     */
    async step(title, work) {
      const entry = { title, since: now(), detail: '', said: now() }
      running.add(entry)
      timer ??= setInterval(tick, tty ? 100 : 1000)
      draw()
      const end = (mark, text) => {
        running.delete(entry)
        if (running.size === 0) {
          clearInterval(timer)
          timer = undefined
        }
        line(`${mark} ${title}${text ? paint('2', ` · ${text}`) : ''} ${paint('2', `(${duration(now() - entry.since)})`)}`)
      }
      try {
        const result = await work({
          detail: (text) => {
            entry.detail = text.trim()
          },
        })
        end(paint('32', '✓'), typeof result === 'string' ? result : '')
        return result
      } catch (error) {
        end(paint('31', '✗'), '')
        throw error
      }
    },
  }
}
