export const THEME_KEY = 'slipway-theme'

/** Runs before the first paint, so that a dark page never flashes light. Inlined with the nonce of the request. */
export const themeScript = `(()=>{var t;try{t=localStorage.getItem('${THEME_KEY}')}catch{}document.documentElement.dataset.theme=t==='dark'||(t!=='light'&&matchMedia('(prefers-color-scheme: dark)').matches)?'dark':'light'})()`

/**
 * Forms are sent by the page's own code. Who presses Enter before that is there would have the browser send them: what was written is gone
 * with the page, and a password is in the address.
 */
export const submitScript = `addEventListener('submit',e=>e.preventDefault(),true)`
