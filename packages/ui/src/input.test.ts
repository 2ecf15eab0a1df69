/** A field in a real browser: what is written before the page is alive is told to the form when it comes alive. */
import path from 'node:path'
import { build } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'

/** The server's form, drawn by `draw`, and made alive by `wake`: `told` is what the form knows, `left` which fields it heard to be left. */
const PAGE = `
  import { useLayoutEffect, useState } from 'react'
  import { hydrateRoot } from 'react-dom/client'
  import { renderToString } from 'react-dom/server.browser'
  import { Input, Textarea } from './input'
  window.left = []
  function Form() {
    const [told, setTold] = useState({ url: '', branch: 'main', text: window.begin ?? '' })
    window.told = told
    // What comes before anything else does, once the form is alive: above timers.
    useLayoutEffect(() => void (window.next && scheduler.postTask(window.next, { priority: 'user-blocking' })), [])
    const field = (name) => ({
      name,
      value: told[name],
      onChange: (event) => setTold((now) => ({ ...now, [name]: event.target.value })),
      onBlur: () => window.left.push([name, told.url, told.branch]),
    })
    return <form><Input {...field('url')} /><Input {...field('branch')} /><Textarea {...field('text')} /></form>
  }
  window.draw = () => { document.body.innerHTML = '<div id="root">' + renderToString(<Form />) + '</div>' }
  window.wake = () => { hydrateRoot(document.getElementById('root'), <Form />) }
`
let browser: Browser
let page: Page
beforeAll(async () => {
  const { outputFiles } = await build({
    stdin: { contents: PAGE, resolveDir: path.resolve(import.meta.dirname), loader: 'tsx' },
    bundle: true,
    write: false,
    jsx: 'automatic',
    platform: 'browser',
    define: { 'process.env.NODE_ENV': '"production"' },
  })
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] })
  page = await browser.newPage()
  await page.goto('about:blank')
  await page.addScriptTag({ content: outputFiles[0]?.text ?? '' })
})
afterAll(() => browser?.close())

const field = (name: string) => page.locator(`[name=${name}]`)
const heard = (): Promise<[Record<string, string>, [string, string, string][]]> => page.evaluate('[told, left]')

it('tells what was written and left, each field with what the others hold', async () => {
  await page.evaluate('draw()')
  await field('url').fill('https://git.example/app.git')
  await field('text').fill('two\nlines')
  await field('branch').focus()
  await page.evaluate('wake()')
  await expect.poll(heard).toEqual([
    { url: 'https://git.example/app.git', branch: 'main', text: 'two\nlines' },
    [
      ['url', 'https://git.example/app.git', 'main'],
      ['text', 'https://git.example/app.git', 'main'],
    ],
  ])
})

it('goes on in the field where somebody is writing, and tells nothing where nothing was written', async () => {
  await page.evaluate('draw(); left.length = 0')
  await field('branch').fill('dev')
  await field('branch').press('ArrowLeft')
  await page.evaluate('wake()')
  await expect.poll(heard).toEqual([{ url: '', branch: 'dev', text: '' }, []])
  await page.keyboard.type('-')
  await expect.poll(async () => (await heard())[0].branch).toBe('de-v')
  await field('url').fill('x')
  expect(await heard()).toEqual([{ url: 'x', branch: 'de-v', text: '' }, [['branch', '', 'de-v']]])
})

it('does not take for writing what a field does by itself to what it is given', async () => {
  await page.evaluate("window.begin = 'a\\r\\nb'; draw(); left.length = 0; wake()")
  await field('url').fill('x')
  await expect.poll(heard).toEqual([{ url: 'x', branch: 'main', text: 'a\r\nb' }, []])
})

it('knows what was written before the first thing that happens to the form', async () => {
  await page.evaluate('draw(); left.length = 0')
  await field('branch').fill('dev')
  await page.evaluate(`
    window.next = () => {
      const [url, branch] = document.querySelectorAll('input')
      url.focus()
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(url, 'https://git.example/app.git')
      url.dispatchEvent(new Event('input', { bubbles: true }))
      branch.focus()
    }
    wake()
  `)
  await expect.poll(heard).toEqual([
    { url: 'https://git.example/app.git', branch: 'dev', text: expect.any(String) },
    [
      ['branch', '', 'dev'],
      ['url', 'https://git.example/app.git', 'dev'],
    ],
  ])
  await page.evaluate('delete window.next')
})
