import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

type Entry = { readonly optionalDependencies?: Record<string, string>; readonly resolved?: string }

const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  readonly packages: Record<string, Entry>
}

test('package-lock.json names every optional package, so that npm ci accepts it on any platform', () => {
  // A registry that does not carry the binaries of other platforms makes `npm install` drop them here.
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      const isThere = Object.keys(lock.packages).some(
        other => other === `node_modules/${name}` || other === `${path}/node_modules/${name}`
      )
      assert.ok(isThere, `${path || 'package.json'} -> ${name}`)
    }
  }
})

test('package-lock.json names no registry', () => {
  assert.deepEqual(
    Object.entries(lock.packages).filter(([, entry]) => entry.resolved?.startsWith('http')),
    []
  )
})
