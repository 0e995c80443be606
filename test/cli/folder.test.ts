import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { scryptCosts } from '../../src/codec/index.ts'
import { readSignerFloor, writeSignerFloor } from '../../src/consensus/index.ts'
import { openDataFolder } from '../../src/node/index.ts'
import { initialiseDataFolder } from '../../src/node/initialise.ts'
import { cli } from './cli-fixture.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-cli-folder-'))
after(() => rmSync(base, { recursive: true, force: true }))
const genesis = join(base, 'genesis.json')
writeFileSync(genesis, '{"network":"test"}')

/** As init makes it, with keys that open quickly. */
async function makeFolder(path: string, roles: readonly string[]): Promise<void> {
  await initialiseDataFolder({
    path,
    genesis: { text: readFileSync(genesis, 'utf8'), from: genesis },
    settings: { 'node.roles': roles },
    env: {},
    password: { passwordFile: null },
    scryptCost: scryptCosts.light
  })
}

test('init may run again: it says what it found and made, and leaves every key as it was', async () => {
  const data = join(base, 'init')
  const first = await cli(['init', '--data', data, '--genesis', genesis, '--role', 'validator', '--json'])
  assert.equal(first.code, 0, first.stderr)
  const states = (doc: Record<string, unknown> | undefined): string[] =>
    (doc!.items as { state: string }[]).map(item => item.state)
  assert.deepEqual(new Set(states(first.docs[0])), new Set(['made']))
  const key = readFileSync(join(data, 'keys/validator.json'), 'utf8')
  const [again, listed, shown, started, noKeys] = await Promise.all([
    cli(['init', '--data', data, '--json']),
    cli(['keys', 'list', '--data', data, '--json']),
    cli(['config', 'show', '--origin', '--data', data, '--json'], { env: { BLYAN_LOG_LEVEL: 'debug' } }),
    cli(['start', '--data', join(base, 'nothing')]),
    cli(['start', '--data', data, '--role', 'king'])
  ])
  assert.deepEqual(new Set(states(again.docs[0])), new Set(['found']))
  assert.equal(readFileSync(join(data, 'keys/validator.json'), 'utf8'), key)
  assert.deepEqual(
    listed.docs.map(doc => doc.name),
    ['account', 'node', 'validator']
  )
  const settings = shown.docs[0]?.settings as { key: string; value: unknown; origin: string }[]
  assert.deepEqual(
    settings.find(setting => setting.key === 'log.level'),
    { key: 'log.level', value: 'debug', origin: 'environment' }
  )
  assert.deepEqual(
    settings.find(setting => setting.key === 'node.roles'),
    { key: 'node.roles', value: ['validator'], origin: 'file' }
  )
  assert.deepEqual(
    [started.code, /DATA_FOLDER_NOT_READY/.test(started.stderr), /init/.test(started.stderr)],
    [3, true, true]
  )
  assert.throws(() => statSync(join(base, 'nothing')), 'a refused start leaves nothing behind')
  assert.deepEqual([noKeys.code, /node\.roles.*--role/.test(noKeys.stderr)], [3, true])
})

test('start says who holds the folder, which setting is wrong, and when the keys stay locked', async () => {
  const data = join(base, 'start')
  await makeFolder(data, [])
  const folder = await openDataFolder(data)
  const held = await cli(['start', '--data', data])
  await folder.release()
  assert.deepEqual([held.code, held.stderr.includes(`process ${process.pid}`)], [4, true], held.stderr)
  rmSync(join(data, 'keys/password'))
  const configFile = join(data, 'config.toml')
  writeFileSync(configFile, readFileSync(configFile, 'utf8').replace(/^passwordFile.*$/m, ''))
  const locked = await cli(['start', '--data', data])
  assert.deepEqual([locked.code, /KEYS_LOCKED/.test(locked.stderr)], [5, true], locked.stderr)
  writeFileSync(configFile, '[api]\nprot = 1\n')
  const wrong = await cli(['start', '--data', data])
  assert.deepEqual([wrong.code, /did you mean "api\.port"/.test(wrong.stderr)], [3, true], wrong.stderr)
})

test('keys move between folders encrypted, and a validator carries what it has signed', async () => {
  const [from, to] = [join(base, 'from'), join(base, 'to')]
  await Promise.all([makeFolder(from, ['validator']), makeFolder(to, [])])
  const floor = { epoch: 0, round: 7, digest: 'ab'.repeat(32), checkpointSequence: 0, checkpointDigest: '' }
  writeSignerFloor(join(from, 'signer-state.json'), floor)
  const password = join(from, 'keys/password')
  const file = join(base, 'exported.json')
  const exported = await cli(['keys', 'export', 'validator', '-o', file, '--data', from])
  assert.equal(exported.code, 0, exported.stderr)
  const imported = await cli([
    'keys',
    'import',
    file,
    '--name',
    'validator',
    '--key-password-file',
    password,
    '--data',
    to,
    '--json'
  ])
  assert.equal(imported.code, 0, imported.stderr)
  assert.equal(
    imported.docs[0]?.publicKey,
    (JSON.parse(readFileSync(join(from, 'keys/validator.json'), 'utf8')) as { publicKey: string }).publicKey
  )
  assert.deepEqual(readSignerFloor(join(to, 'signer-state.json')), floor)
  const [twice, again, rotated, wrong] = await Promise.all([
    cli(['keys', 'export', 'validator', '-o', file, '--data', from]),
    cli(['keys', 'import', file, '--name', 'validator', '--data', to]),
    cli(['keys', 'rotate', 'validator', '--data', to]),
    cli(['keys', 'import', file, '--name', 'other', '--data', to])
  ])
  assert.deepEqual([twice.code, again.code, rotated.code, wrong.code], [1, 1, 6, 5])
  for (const [result, code] of [
    [twice, 'FILE_UNWRITABLE'],
    [again, 'KEY_EXISTS'],
    [rotated, 'DAEMON_NOT_REACHABLE'],
    [wrong, 'KEY_PASSWORD_WRONG']
  ] as const) {
    assert.match(result.stderr, new RegExp(code))
  }
})
