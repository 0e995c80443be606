import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/**
 * A data folder as blyan-node 0.1.0 left it (format 1, before records had checksums): a network of one validator, 50
 * notes, a clean stop. Made once with the code of that time; the keys are of no network but this one.
 */
const fixture = new URL('./data-folder-1.json.gz', import.meta.url)

export function unpackOldDataFolder(folder: string): void {
  const files = JSON.parse(gunzipSync(readFileSync(fixture)).toString()) as Record<string, string>
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, name), Buffer.from(content, 'base64'), { mode: 0o600 })
  }
}
