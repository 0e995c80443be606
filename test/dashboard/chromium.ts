import { existsSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'
]

/** Where a browser of the Chromium kind is; undefined where there is none. */
export const chromiumPath = places.find(place => existsSync(place))

/** A real browser that ends with the test. Only root needs it without a sandbox. */
export async function startBrowser(t: TestContext): Promise<Browser> {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const browser = await chromium.launch({ executablePath: chromiumPath!, args })
  t.after(() => browser.close())
  return browser
}

export type OpenPage = {
  readonly page: Page
  /** What the browser complained about: errors of scripts, refusals by the content security policy. */
  readonly complaints: readonly string[]
  /** Requests that went anywhere else than to the node. */
  readonly foreign: readonly string[]
}

export async function openPage(
  browser: Browser,
  origin: string,
  options: { readonly width?: number; readonly theme?: 'light' | 'dark' } = {}
): Promise<OpenPage> {
  const { width = 1280, theme = 'light' } = options
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme: theme, reducedMotion: 'reduce' })
  const complaints: string[] = []
  const foreign: string[] = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => {
    // A refused request is an answer like any other to the page, and a line on the console to the browser.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text())
  })
  page.on('request', request => {
    if (!request.url().startsWith(`${origin}/`)) foreign.push(request.url())
  })
  page.setDefaultTimeout(20_000)
  return { page, complaints, foreign }
}
