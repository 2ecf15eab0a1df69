/** What the router itself answers with: small, self-contained, light and dark. No request data is put into them. */

interface Page {
  title: string
  text: string
  /** Colour of the mark: nothing here, or something is wrong. */
  tone: 'idle' | 'busy'
}

const page = ({ title, text, tone }: Page): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>${title}</title>
<style>
:root{color-scheme:light dark;--bg:#fbfbf9;--ink:#1a1c1b;--ink-2:#565b58;--line:#d3d2cb;--idle:#676c68;--busy:#8f5a00}
@media(prefers-color-scheme:dark){:root{--bg:#0c0e0d;--ink:#eaeeec;--ink-2:#a7b0ac;--line:#353c39;--idle:#86908c;--busy:#e2aa4a}}
*{box-sizing:border-box;margin:0}
body{min-height:100vh;display:grid;place-items:center;padding:24px;background:var(--bg);color:var(--ink);font:14px/1.5 Geist,ui-sans-serif,system-ui,sans-serif;-webkit-font-smoothing:antialiased}
main{max-width:26rem;display:grid;gap:10px;border-left:2px solid var(--line);padding:4px 0 4px 20px}
h1{font-size:20px;font-weight:600;letter-spacing:-.015em;display:flex;align-items:center;gap:10px}
h1::before{content:"";width:9px;height:9px;border-radius:99px;background:var(--${tone});flex:none}
p{color:var(--ink-2)}
</style></head><body><main><h1>${title}</h1><p>${text}</p></main></body></html>
`

export const NOT_FOUND_PAGE = page({
  title: 'No app at this address',
  text: 'Check the address. If this is your app, deploy it, or add this domain to it.',
  tone: 'idle',
})

export const NOT_RUNNING_PAGE = page({
  title: 'This app is not running',
  text: 'It is stopped, starting, or its last deployment failed. Try again in a few seconds.',
  tone: 'busy',
})

export const NOT_ANSWERING_PAGE = page({
  title: 'This app is not answering',
  text: 'The app is running but did not answer the request. Try again in a few seconds; its logs say more.',
  tone: 'busy',
})
