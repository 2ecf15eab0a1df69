export const THEME_KEY = 'slipway-theme'

/** Runs before the first paint, so that a dark page never flashes light. Inlined with the nonce of the request. */
export const themeScript = `(()=>{var t;try{t=localStorage.getItem('${THEME_KEY}')}catch{}document.documentElement.dataset.theme=t==='dark'||(t!=='light'&&matchMedia('(prefers-color-scheme: dark)').matches)?'dark':'light'})()`
