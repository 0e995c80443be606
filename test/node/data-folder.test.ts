import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { describeError, isBlyanError } from '../../src/errors/index.ts'
import {
  chooseDataFolder,
  dataFolderPaths,
  dataFormatVersion,
  openDataFolder,
  readApiAddress,
  readApiToken
} from '../../src/node/data-folder.ts'
import { processStartMark } from '../../src/node/process-identity.ts'

const holder = fileURLToPath(new URL('./lock-holder.ts', import.meta.url))
const base = mkdtempSync(join(tmpdir(), 'blyan-folder-'))
const children: ChildProcess[] = []
after(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(base, { recursive: true, force: true })
})

/** Starts a process that wants the folder; gives it and the first line it said. */
async function startHolder(path: string): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(process.execPath, [holder, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [chunk] = (await once(child.stdout!, 'data')) as [Buffer]
  return { child, said: chunk.toString().trim() }
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

const inUse = (error: unknown): boolean =>
  isBlyanError(error, 'DATA_FOLDER_IN_USE') && describeError(error).exitCode === 4

test('a folder in use is refused and names the process; after kill -9 it is taken over', async () => {
  const path = join(base, 'killed')
  const { child, said } = await startHolder(path)
  assert.equal(said, 'held')
  await assert.rejects(
    openDataFolder(path),
    error => inUse(error) && (error as Error).message.includes(`process ${child.pid}`)
  )
  await kill(child)
  const folder = await openDataFolder(path)
  assert.equal((JSON.parse(readFileSync(folder.paths.lockFile, 'utf8')) as { pid: number }).pid, process.pid)
  await folder.release()
})

test('of many that start at once on a dead lock exactly one gets the folder', async () => {
  const path = join(base, 'race')
  await kill((await startHolder(path)).child)
  const started = await Promise.all(Array.from({ length: 6 }, () => startHolder(path)))
  assert.deepEqual(started.map(({ said }) => said).sort(), [...Array(5).fill('DATA_FOLDER_IN_USE'), 'held'])
  for (const { child } of started) await kill(child)
})

test('a process id that another process has now does not hold the folder', {
  skip: processStartMark(process.pid) === null
}, async () => {
  const path = join(base, 'reused')
  await (await openDataFolder(path)).release()
  // Our own id with another start: what is left when the machine was restarted and the id given out again.
  const stale = { pid: process.pid, startedAt: '2020-01-01T00:00:00Z', startMark: 'another-boot:1', nonce: 'x' }
  writeFileSync(join(path, 'lock'), JSON.stringify(stale))
  const folder = await openDataFolder(path)
  await folder.release()
  writeFileSync(join(path, 'lock'), '')
  await (await openDataFolder(path)).release()
})

test('a claim on a dead lock whose maker died too is claimed in turn', async () => {
  const path = join(base, 'claims')
  const folder = await openDataFolder(path)
  await folder.release()
  const { createHash } = await import('node:crypto')
  const dead = `${JSON.stringify({ pid: 2 ** 30, startMark: 'x', nonce: '1' })}\n`
  const claim = `${JSON.stringify({ pid: 2 ** 30 + 1, startMark: 'x', nonce: '2' })}\n`
  const claimPath = `${folder.paths.lockFile}.after-${createHash('sha256').update(dead).digest('hex').slice(0, 16)}`
  writeFileSync(folder.paths.lockFile, dead)
  writeFileSync(claimPath, claim)
  await (await openDataFolder(path)).release()
  assert.throws(() => statSync(claimPath))
})

test('release removes lock and address and may be called twice; it never removes the lock of another', async () => {
  const path = join(base, 'release')
  const folder = await openDataFolder(path)
  await folder.announceApi('http://127.0.0.1:1')
  writeFileSync(folder.paths.lockFile, '{"pid":1}')
  await folder.release()
  await folder.release()
  assert.equal(readFileSync(folder.paths.lockFile, 'utf8'), '{"pid":1}')
  assert.throws(() => statSync(folder.paths.apiFile))
})

test('secrets are for their owner only, and tokens survive a restart', {
  skip: process.platform === 'win32'
}, async () => {
  const path = join(base, 'modes')
  const folder = await openDataFolder(path)
  const tokens = await folder.tokens()
  await folder.announceApi('http://127.0.0.1:1')
  const { root, apiFile, apiTokenFile, lockFile } = folder.paths
  assert.equal(statSync(root).mode & 0o777, 0o700)
  for (const file of [apiFile, apiTokenFile, `${apiTokenFile}.read`, lockFile])
    assert.equal(statSync(file).mode & 0o777, 0o600, file)
  assert.equal(await readApiToken(folder.paths), tokens.sign)
  assert.equal(new Set(Object.values(tokens)).size, 3)
  assert.deepEqual(await readApiAddress(folder.paths), { url: 'http://127.0.0.1:1', pid: process.pid })
  await folder.release()
  const again = await openDataFolder(path)
  assert.deepEqual(await again.tokens(), tokens)
  await again.release()
})

test('the address of a dead daemon is not believed', async () => {
  const paths = dataFolderPaths(base)
  writeFileSync(paths.apiFile, JSON.stringify({ url: 'http://127.0.0.1:1', pid: 2 ** 30, startMark: null }))
  assert.equal(await readApiAddress(paths), null)
  writeFileSync(paths.apiFile, '{"url":')
  assert.equal(await readApiAddress(paths), null)
})

test('data of a newer version is refused and left alone', async () => {
  const path = join(base, 'newer')
  await (await openDataFolder(path)).release()
  writeFileSync(join(path, 'version'), `${dataFormatVersion + 1}\n`)
  await assert.rejects(
    openDataFolder(path),
    error => isBlyanError(error, 'DATA_TOO_NEW') && describeError(error).exitCode === 8
  )
  assert.throws(() => statSync(join(path, 'lock')))
  writeFileSync(join(path, 'version'), 'many')
  await assert.rejects(openDataFolder(path), error => isBlyanError(error, 'DATA_FOLDER_UNUSABLE'))
})

test('too little free disk is said with both figures', async () => {
  const folder = await openDataFolder(join(base, 'disk'))
  await folder.requireFreeBytes(1)
  await assert.rejects(folder.requireFreeBytes(2 ** 52), error => isBlyanError(error, 'DISK_SPACE_LOW'))
  await folder.release()
})

test('the folder is chosen by flag, then variable, then platform, one for each network', () => {
  const env = { BLYAN_DATA: '/env', XDG_DATA_HOME: '/xdg' }
  assert.equal(chooseDataFolder({ data: '/flag', env }), '/flag')
  assert.equal(chooseDataFolder({ env }), '/env')
  assert.equal(chooseDataFolder({ env: { XDG_DATA_HOME: '/xdg' }, platform: 'linux' }), '/xdg/blyan/devnet')
  assert.equal(
    chooseDataFolder({ env: {}, network: 'main', platform: 'darwin' }).endsWith(
      'Library/Application Support/blyan/main'
    ),
    true
  )
  assert.match(chooseDataFolder({ env: { LOCALAPPDATA: '/local' }, platform: 'win32' }), /local.blyan.devnet/)
})
