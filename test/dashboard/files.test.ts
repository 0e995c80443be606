import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { dashboardFile } from '../../src/api/dashboard/dashboard-files.ts'
import { errorCode, startApi } from '../api/api-fixture.ts'
import { staticFile } from './static-module.ts'

const folder = fileURLToPath(staticFile('.'))
const names = readdirSync(folder)

test('the page and every file it names are served without a token, with the rules for browsers', async t => {
  const { call } = await startApi(t)
  const page = await call('GET', '/', { token: null })
  assert.equal(page.status, 200)
  assert.match(page.headers.get('content-type')!, /^text\/html/)
  const policy = page.headers.get('content-security-policy')!
  assert.match(policy, /default-src 'none'/)
  assert.doesNotMatch(policy, /unsafe|https?:|\*/)
  const html = await page.text()
  const named = [...html.matchAll(/(?:href|src)="(dashboard\/[^"]+)"/g)].map(match => match[1]!)
  assert.ok(named.length >= 4)
  for (const path of named) {
    const file = await call('GET', `/${path}`, { token: null })
    assert.equal(file.status, 200, path)
    assert.equal(file.headers.get('x-content-type-options'), 'nosniff')
    const again = await fetch(file.url, { headers: { 'if-none-match': file.headers.get('etag')! } })
    assert.equal(again.status, 304, path)
  }
})

test('every module that a module imports is there, and nothing comes from elsewhere', () => {
  for (const name of names.filter(one => /\.(js|css|html|svg)$/.test(one))) {
    const text = readFileSync(staticFile(name), 'utf8')
    for (const [, from] of text.matchAll(/(?:from|import|library =) '\.\/([^']+)'/g))
      assert.ok(dashboardFile(from!) !== undefined, `${name} imports ${from}`)
    const foreign = [...text.matchAll(/https?:\/\/[^\s'"<>)]+/g)].map(([url]) => url)
    assert.deepEqual(
      foreign.filter(url => url !== 'http://www.w3.org/2000/svg'),
      [],
      name
    )
    assert.doesNotMatch(text, /\binnerHTML\b|\bouterHTML\b|insertAdjacentHTML|document\.write|\beval\(/, name)
    assert.ok(text.split('\n').length <= 800, name)
  }
})

test('no path leads out of the folder', async t => {
  const { call } = await startApi(t)
  for (const path of ['/dashboard/..%2Fserver.ts', '/dashboard/tsconfig.json', '/dashboard/app.js.map'])
    assert.ok([400, 404].includes((await call('GET', path, { token: null })).status), path)
  assert.equal(await errorCode(await call('GET', '/dashboard/nothing.js', { token: null })), 'ROUTE_UNKNOWN')
})

test('parts say how many others answer for them, and a part says who', async t => {
  const { call } = await startApi(t)
  const json = async (path: string) => (await call('GET', path)).json() as Promise<Record<string, never>>
  const [{ experts }, { heldBy }, { holders }] = await Promise.all([
    json('/v0/experts') as Promise<{ experts?: { holders: number }[] }>,
    json('/v0/experts/layer0.expert0') as Promise<{ heldBy?: { peerId: string }[] }>,
    json('/v0/holders') as Promise<{ holders?: { peerId: string; standing: string; roundTripMs: number }[] }>
  ])
  assert.deepEqual(
    experts!.map(expert => expert.holders),
    [1]
  )
  assert.equal(heldBy![0]!.peerId, holders![0]!.peerId)
  assert.deepEqual([holders![0]!.standing, holders![0]!.roundTripMs], ['good', 2.5])
})
