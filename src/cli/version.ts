import { readFileSync } from 'node:fs'

/** From package.json, so that there is one place to change it. */
export function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return String((JSON.parse(text) as { version: unknown }).version)
}
