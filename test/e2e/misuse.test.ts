import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { encodeCanonical, generateSigningKey, type SigningKey, sha256 } from '../../src/codec/index.ts'
import { decodeCommit } from '../../src/consensus/index.ts'
import { type EventEnvelope, signEvent } from '../../src/dag/index.ts'
import { dataFolderPaths, readApiAddress, readApiToken } from '../../src/node/index.ts'
import { openDatabase, tableRange } from '../../src/storage/index.ts'
import { noiseBytes, npyFile, safetensorsFile } from '../tiles/support.ts'
import { bin, blyan, type ProcessNetwork, processNetwork, scratchFolder, until } from './network-of-processes.ts'

const mebibyte = 1 << 20
const hourMs = 3_600_000

test('one node, used wrongly: events, tensors, folders, ports, a kill in the middle of a tensor', {
  timeout: 180_000
}, async t => {
  const network = await processNetwork(t, 1)
  await network.start(0)
  const folder = network.folders[0]!.path

  await t.test('events that were signed elsewhere', async () => {
    const key = generateSigningKey()
    const { genesis } = JSON.parse((await blyan(['status', '--json', '--data', folder])).stdout) as { genesis: string }
    const ours = sha256(encodeCanonical(JSON.parse(readFileSync(network.devnet.genesisFile, 'utf8'))))
    assert.ok(genesis.length > 0)
    const signed = (changes: Partial<EventEnvelope>, network = ours) => signEvent(noteOf(key, changes), key, network)
    const first = signed({ logicalClock: 1 })
    const spoilt = Uint8Array.from(first.bytes)
    spoilt[5]! ^= 1
    const oversize = signed({ payload: new Uint8Array(64 * 1024 + 1) })
    const expected: [string, Uint8Array, number, string][] = [
      ['bad signature', spoilt, 400, 'EVENT_SIGNATURE_WRONG'],
      ['another network', signed({}, new Uint8Array(32)).bytes, 400, 'EVENT_SIGNATURE_WRONG'],
      ['skipped clock', signed({ logicalClock: 3 }).bytes, 409, 'EVENT_CLOCK_GAP'],
      ['unknown type', signed({ type: 'spell' }).bytes, 400, 'EVENT_TYPE_UNKNOWN'],
      ['oversize payload', oversize.bytes, 400, 'EVENT_INVALID'],
      ['not an event', noiseBytes(300), 400, 'EVENT_INVALID'],
      ['half an event', first.bytes.subarray(0, 90), 400, 'EVENT_INVALID'],
      ['the first', first.bytes, 200, ''],
      ['the same again', first.bytes, 200, ''],
      ['another with its clock', signed({ logicalClock: 1, tenantId: 'x' }).bytes, 409, 'EVENT_CLOCK_REPLAYED'],
      ['the second', signed({ logicalClock: 2 }).bytes, 200, '']
    ]
    for (const [what, bytes, status, code] of expected) {
      const answer = await submitSigned(folder, bytes)
      assert.deepEqual({ status: answer.status, code: answer.code }, { status, code }, `${what}: ${answer.text}`)
    }
    assert.equal((await network.order(0)).length, 2)
  })

  await t.test('tensor files that lie, end early or are none', async () => {
    const scratch = scratchFolder(t)
    const f32 = (begin: number, end: number, shape = [4]) => ({ dtype: 'F32', shape, data_offsets: [begin, end] })
    const whole = npyFile([64, 64], noiseBytes(64 * 64 * 4))
    const header = (value: unknown) => safetensorsFile(value, new Uint8Array(32))
    const files: [string, Uint8Array][] = [
      ['truncated.npy', whole.subarray(0, 5000)],
      ['longer.npy', Buffer.concat([whole, Buffer.alloc(10)])],
      ['empty.npy', new Uint8Array(0)],
      ['garbage.npy', noiseBytes(5000)],
      ['garbage.tblock', noiseBytes(5000)],
      ['garbage.safetensors', noiseBytes(5000)],
      ['size.safetensors', header({ a: f32(0, 16, [400]), b: f32(16, 32) })],
      ['overlap.safetensors', header({ a: f32(0, 16), b: f32(8, 24), c: f32(24, 32, [2]) })],
      ['backwards.safetensors', header({ a: f32(16, 0), b: f32(16, 32) })],
      ['hole.safetensors', header({ a: f32(0, 16), b: f32(20, 32, [3]) })],
      ['beyond.safetensors', header({ a: f32(0, 16), b: f32(16, 1e15, [2.5e14]) })],
      ['header.safetensors', Buffer.concat([Buffer.from('ffffffffffffff7f', 'hex'), Buffer.alloc(64)])]
    ]
    const before = readdirSync(join(folder, 'tensors'))
    for (const [name, bytes] of files) {
      writeFileSync(join(scratch, name), bytes)
      const answer = await putOverHttp(folder, name, bytes)
      assert.ok(answer.status >= 400 && answer.status < 500, `${name}: ${answer.status} ${answer.text}`)
      assert.match(answer.code, /^(TENSOR|NPY|SAFETENSORS|TBLOCK|INPUT)_/, `${name}: ${answer.text}`)
    }
    assert.deepEqual(readdirSync(join(folder, 'tensors')), before)
    const missing = await blyan(['tensor', 'put', join(scratch, 'none.npy'), '--data', folder])
    assert.match(missing.stderr, /FILE_UNREADABLE/)
    const unknown = 'bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi'
    const get = await blyan(['tensor', 'get', unknown, '-o', join(scratch, 'x'), '--timeout', '1', '--data', folder])
    assert.notEqual(get.code, 0)
    assert.match(get.stderr, /^[A-Z_]*TENSOR[A-Z_]*/m)
  })

  await t.test('kill -9 in the middle of a tensor of 64 MiB', async () => {
    const file = join(scratchFolder(t), 'large.npy')
    writeFileSync(file, npyFile([4096, 4096], noiseBytes(64 * mebibyte)))
    const before = new Set(readdirSync(join(folder, 'tensors')))
    const put = blyan(['tensor', 'put', file, '--json', '--data', folder])
    await until('it writes', async () => readdirSync(join(folder, 'tensors')).some(name => name.endsWith('.part')))
    await network.kill(0)
    assert.notEqual((await put).code, 0)
    await network.start(0)
    assert.deepEqual(new Set(readdirSync(join(folder, 'tensors'))), before, 'a leftover of the killed process')
    for (let count = 0; count < 2; count++) {
      const again = await blyan(['tensor', 'put', file, '--json', '--data', folder])
      assert.equal(again.code, 0, again.stderr)
    }
    assert.equal(readdirSync(join(folder, 'tensors')).length, before.size + 1)
    assert.equal((await network.order(0)).length, 2)
  })

  await t.test('folder in use, ports taken, wrong password, newer version', async () => {
    assert.match((await blyan(['start', '--data', folder])).stderr, /DATA_FOLDER_IN_USE/)
    await network.stop(0)
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    t.after(() => taken.close())
    const { port } = taken.address() as { port: number }
    const wrong = join(scratchFolder(t), 'password')
    writeFileSync(wrong, 'not the password\n')
    const start = (...flags: string[]) => blyan(['start', '--data', folder, ...flags])
    await refuses(start('--listen', `/ip4/127.0.0.1/tcp/${port}`), 1, 'LISTEN_ADDRESS_TAKEN')
    await refuses(start('--api-port', String(port)), 1, 'API_PORT_TAKEN')
    await refuses(start('--password-file', wrong), 5, 'KEY_PASSWORD_WRONG')
    await refuses(start('--sped', '9'), 2, 'USAGE')
    const config = join(folder, 'config.toml')
    const settings = readFileSync(config, 'utf8')
    writeFileSync(config, `${settings}\n[nodes]\ncolour = "blue"\n`)
    await refuses(start(), 3, 'CONFIG_KEY_UNKNOWN')
    writeFileSync(config, settings)
    writeFileSync(join(folder, 'version'), '999\n')
    await refuses(start(), 8, 'DATA_TOO_NEW')
    writeFileSync(join(folder, 'version'), '1\n')
    await network.start(0)
    assert.equal((await network.note(0, 'and on it goes')).sequence, 3)
  })
})

test('a full disk stops a node with a clear word, and nothing final is lost', { timeout: 120_000 }, async t => {
  const disk = smallDisk(t, 96)
  if (disk === undefined) return t.skip('a small disk cannot be mounted here')
  const network = await processNetwork(t, 1)
  const folder = join(disk, 'node')
  execFileSync('cp', ['-a', network.folders[0]!.path, folder])
  const filler = join(disk, 'filler')
  const noReserve = { BLYAN_STORAGE_MINIMUM_FREE_BYTES: '0' }
  let node = await startedNode(t, folder, noReserve)
  assert.equal((await note(folder, 'before')).status, 200)
  writeFileSync(filler, Buffer.alloc(freeBytesOf(disk) - 3 * mebibyte))

  const tensors = readdirSync(join(folder, 'tensors'))
  const put = await putOverHttp(folder, 'large.npy', npyFile([1024, 2048], noiseBytes(8 * mebibyte)))
  assert.match(put.code, /^DISK_/, put.text)
  assert.deepEqual(readdirSync(join(folder, 'tensors')), tensors)

  const final: number[] = []
  for (let count = 0; count < 400 && node.child.exitCode === null; count++) {
    const answer = await note(folder, `${count} `.padEnd(60_000, 'x')).catch(() => undefined)
    if (answer?.status === 200) final.push((JSON.parse(answer.text) as { sequence: number }).sequence)
  }
  assert.equal(await node.exitCode(), 1)
  assert.match(node.stderr(), /DISK_FULL/)
  const refused = await blyan(['start', '--data', folder], { env: noReserve })
  assert.match(refused.stderr, /DISK_/)

  rmSync(filler)
  node = await startedNode(t, folder, noReserve)
  const listed = await blyan(['event', 'list', '--limit', '1000', '--json', '--data', folder])
  const sequences = new Set([...listed.stdout.matchAll(/"sequence":\s*(\d+)/g)].map(match => Number(match[1])))
  for (const sequence of final) assert.ok(sequences.has(sequence), `place ${sequence} was final and is gone`)
  assert.equal(JSON.parse((await blyan(['chain', 'verify', '--json', '--data', folder])).stdout).valid, true)
  assert.equal((await note(folder, 'after')).status, 200)
  t.diagnostic(`${final.length} events of 60 kB final until the disk was full`)
})

test('clocks an hour off, and one that steps back: finality goes on and commit times never decrease', {
  timeout: 120_000
}, async t => {
  const network = await processNetwork(t, 4)
  const scratch = scratchFolder(t)
  const preload = join(scratch, 'clock.mjs')
  writeFileSync(
    preload,
    `import { readFileSync } from 'node:fs'
const real = Date.now
let shiftMs = 0
const look = () => { shiftMs = Number(readFileSync(process.env.TEST_CLOCK_FILE, 'utf8')) }
look()
setInterval(look, 100).unref()
Date.now = () => real() + shiftMs
`
  )
  const setClock = (place: number, shiftMs: number) => writeFileSync(join(scratch, `clock-${place}`), String(shiftMs))
  const shifts = [0, -hourMs, hourMs, 0]
  await Promise.all(
    network.folders.map(({ path }, place) => {
      setClock(place, shifts[place]!)
      const env = {
        NODE_OPTIONS: `--import=${pathToFileURL(preload).href}`,
        TEST_CLOCK_FILE: join(scratch, `clock-${place}`)
      }
      return startedNode(t, path, env)
    })
  )
  for (let count = 0; count < 8; count++) assert.equal((await network.note(count % 4, `off ${count}`)).final, true)
  setClock(0, -2 * hourMs)
  setClock(3, -600_000)
  await new Promise(resolve => setTimeout(resolve, 300))
  for (let count = 0; count < 8; count++) assert.equal((await network.note(count % 4, `back ${count}`)).final, true)
  const orders = await Promise.all([0, 1, 2, 3].map(place => network.order(place)))
  assert.equal(orders[0]!.length, 16)
  await stopDaemons(network)
  const database = await openDatabase(dataFolderPaths(network.folders[1]!.path).databaseFolder)
  let last = 0
  let commits = 0
  for await (const [, bytes] of database.range(tableRange('c'))) {
    const { timestampMs } = decodeCommit(bytes)
    assert.ok(timestampMs >= last, `commit ${commits} goes back by ${last - timestampMs} ms`)
    last = timestampMs
    commits++
  }
  await database.close()
  assert.ok(commits > 0)
})

function noteOf(key: SigningKey, changes: Partial<EventEnvelope>): EventEnvelope {
  return {
    tenantId: '',
    logicalClock: 1,
    region: '',
    origin: '',
    createdAtMs: Date.now(),
    type: 'note',
    payload: Buffer.from('hello'),
    author: key.publicKey,
    ...changes
  }
}

type Answer = { readonly status: number; readonly code: string; readonly text: string }

async function ask(
  folder: string,
  path: string,
  headers: Record<string, string>,
  body: string | Uint8Array<ArrayBuffer>
): Promise<Answer> {
  const paths = dataFolderPaths(folder)
  const address = await readApiAddress(paths)
  const response = await fetch(new URL(path, address?.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${await readApiToken(paths)}`, ...headers },
    body,
    signal: AbortSignal.timeout(20_000)
  })
  const text = await response.text()
  return { status: response.status, code: /"code":\s*"([A-Z_]+)"/.exec(text)?.[1] ?? '', text }
}

function submitSigned(folder: string, bytes: Uint8Array): Promise<Answer> {
  const body = JSON.stringify({ signedEvent: Buffer.from(bytes).toString('base64') })
  return ask(folder, '/v0/events', { 'content-type': 'application/json' }, body)
}

function note(folder: string, payload: string): Promise<Answer> {
  const body = JSON.stringify({ type: 'note', payload })
  return ask(folder, '/v0/events?timeoutMs=10000', { 'content-type': 'application/json' }, body)
}

function putOverHttp(folder: string, name: string, bytes: Uint8Array): Promise<Answer> {
  const [stem, format] = name.split('.') as [string, string]
  const path = `/v0/tensors?format=${format}&name=${stem}`
  return ask(folder, path, { 'content-type': 'application/octet-stream' }, new Uint8Array(bytes))
}

async function refuses(run: ReturnType<typeof blyan>, code: number, name: string): Promise<void> {
  const result = await run
  assert.match(result.stderr, new RegExp(`\\b${name}\\b`))
  assert.equal(result.code, code, result.stderr)
}

type Started = { readonly child: ChildProcess; stderr(): string; exitCode(): Promise<number | null> }

async function startedNode(t: TestContext, folder: string, env: Record<string, string> = {}): Promise<Started> {
  const child = spawn(process.execPath, [bin, 'start', '--data', folder], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env }
  })
  let stderr = ''
  child.stderr!.on('data', chunk => (stderr = (stderr + chunk).slice(-100_000)))
  t.after(() => child.kill('SIGKILL'))
  const exit = once(child, 'exit').then(([code]) => code as number | null)
  const isReady = async (): Promise<boolean> => {
    const address = await readApiAddress(dataFolderPaths(folder))
    return address?.pid === child.pid && (await fetch(new URL('/readyz', address?.url))).ok
  }
  await until('the node is ready', async () => child.exitCode !== null || (await isReady()), 60_000)
  assert.equal(child.exitCode, null, stderr)
  return { child, stderr: () => stderr, exitCode: () => exit }
}

async function stopDaemons(network: ProcessNetwork): Promise<void> {
  await Promise.all(network.folders.map(({ path }) => blyan(['stop', '--data', path])))
}

/** Unmounted first of all: hooks run in the order they were registered in, and a mounted folder cannot be removed. */
function smallDisk(t: TestContext, sizeMiB: number): string | undefined {
  if (process.getuid?.() !== 0) return undefined
  const disk = mkdtempSync(join(tmpdir(), 'blyan-disk-'))
  let isMounted = false
  t.after(() => {
    if (isMounted) execFileSync('umount', ['-l', disk])
    rmSync(disk, { recursive: true, force: true })
  })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=0700`, 'tmpfs', disk], { stdio: 'ignore' })
    isMounted = true
    return disk
  } catch {
    return undefined
  }
}

function freeBytesOf(folder: string): number {
  return (
    Number(execFileSync('stat', ['-f', '-c', '%a', folder])) * Number(execFileSync('stat', ['-f', '-c', '%S', folder]))
  )
}
