import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A file of the dashboard as it goes to the browser. */
export type DashboardFile = {
  readonly name: string
  readonly type: string
  readonly bytes: Uint8Array
  /** Of its bytes, so that a browser asks again without fetching again. */
  readonly entityTag: string
}

const folder = fileURLToPath(new URL('./static/', import.meta.url))
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml'
}
const chartFiles = ['uplot/dist/uPlot.esm.js', 'uplot/dist/uPlot.min.css']

/**
 * The page may load its own files and talk to this node, nothing else: what peers wrote is only ever shown as text, and a
 * script that got in all the same could send nothing anywhere.
 */
export const dashboardHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cache-control': 'no-cache',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff'
}

let files: ReadonlyMap<string, DashboardFile> | undefined

/** The file of that name; undefined for any other. All are read once, at the first question: a path never reaches the disk. */
export function dashboardFile(name: string): DashboardFile | undefined {
  files ??= readFiles()
  return files.get(name)
}

function readFiles(): ReadonlyMap<string, DashboardFile> {
  const { resolve } = createRequire(import.meta.url)
  const own = readdirSync(folder).map(name => join(folder, name))
  const found = [...own, ...chartFiles.map(path => resolve(path))]
    .filter(path => types[extname(path)] !== undefined)
    .map(fileAt)
  return new Map(found.map(file => [file.name, file]))
}

function fileAt(path: string): DashboardFile {
  const bytes = readFileSync(path)
  return {
    name: basename(path),
    type: types[extname(path)]!,
    bytes,
    entityTag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"`
  }
}
