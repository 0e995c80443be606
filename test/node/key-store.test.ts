import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { generateSigningKey, publicKeyToText, scryptCosts } from '../../src/codec/index.ts'
import { describeError, isBlyanError } from '../../src/errors/index.ts'
import { initialiseDataFolder } from '../../src/node/initialise.ts'
import { openKeyStore, parseKeyFile, unlockNodeKeys } from '../../src/node/key-store.ts'
import { obtainNewPassword, obtainPassword } from '../../src/node/password.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-keys-'))
after(() => rmSync(base, { recursive: true, force: true }))
const light = { scryptCost: scryptCosts.light }
const password = 'correct horse'

test('a key is written encrypted for its owner only, opened with its password, and never overwritten', async () => {
  const store = openKeyStore(join(base, 'one'), light)
  const key = await store.create('mine', 'secp256k1', password)
  if (process.platform !== 'win32') assert.equal(statSync(key.path).mode & 0o777, 0o600)
  const opened = await store.unlock('mine', password)
  assert.equal(publicKeyToText(opened.publicKey), key.publicKey)
  assert.equal(readFileSync(key.path, 'utf8').includes(Buffer.from(opened.exportSecret()).toString('hex')), false)
  await assert.rejects(store.create('mine', 'ed25519', password), error => isBlyanError(error, 'KEY_EXISTS'))
  await assert.rejects(
    store.unlock('mine', 'wrong horse'),
    error => isBlyanError(error, 'KEY_PASSWORD_WRONG') && describeError(error).exitCode === 5
  )
  await assert.rejects(store.unlock('other', password), error => isBlyanError(error, 'KEY_UNKNOWN'))
  assert.deepEqual(
    (await store.list()).map(({ name, publicKey }) => [name, publicKey]),
    [['mine', key.publicKey]]
  )
  assert.deepEqual(readdirSync(join(base, 'one')), ['mine.json'])
})

test('of two that make the same key at once one is refused', async () => {
  const store = openKeyStore(join(base, 'race'), light)
  const results = await Promise.allSettled([
    store.create('a', 'ed25519', password),
    store.create('a', 'ed25519', password)
  ])
  assert.deepEqual(results.map(result => result.status).sort(), ['fulfilled', 'rejected'])
})

test('a name never leaves the folder', async () => {
  const store = openKeyStore(join(base, 'names'), light)
  for (const name of ['../x', '', 'A', 'a/b', 'a'.repeat(33), '.', 'password.json']) {
    await assert.rejects(
      store.create(name, 'ed25519', password),
      error => isBlyanError(error, 'KEY_NAME_INVALID'),
      name
    )
  }
})

test('rotating keeps the old key; a new password opens all keys, also after an interrupted change', async () => {
  const store = openKeyStore(join(base, 'change'), light)
  const before = await store.create('node', 'ed25519', password)
  await store.add('account', generateSigningKey(), password)
  const { key, keptAs } = await store.replace('node', password, new Date('2026-01-02T03:04:05Z'))
  assert.notEqual(key.publicKey, before.publicKey)
  assert.equal(parseKeyFile(readFileSync(keptAs, 'utf8')).publicKey, before.publicKey)
  const other = 'battery staple'
  assert.deepEqual(await store.changePassword(password, other), ['account', 'node'])
  await store.add('third', generateSigningKey(), password)
  assert.deepEqual(await store.changePassword(password, other), ['account', 'node', 'third'])
  await store.unlock('third', other)
  await assert.rejects(store.changePassword('wrong wrong', 'whatever else'), error =>
    isBlyanError(error, 'KEY_PASSWORD_WRONG')
  )
  await store.unlock('node', other)
})

test('files that are no keys are named as such', () => {
  for (const text of ['', '[]', 'null', '{}', '{"schema":"blyan.key/1"}', '{"schema":"blyan.key/2"}']) {
    assert.throws(
      () => parseKeyFile(text),
      error => isBlyanError(error, 'KEY_INVALID'),
      text
    )
  }
})

test('a password comes from a file or a person, or the keys stay locked', async () => {
  const file = join(base, 'password')
  writeFileSync(file, 'from the file\r\nsecond line\n')
  assert.equal(await obtainPassword({ passwordFile: file }, ''), 'from the file')
  assert.equal(await obtainPassword({ passwordFile: null, ask: async () => 'typed in' }, ''), 'typed in')
  await assert.rejects(
    obtainPassword({ passwordFile: null }, ''),
    error => isBlyanError(error, 'KEYS_LOCKED') && describeError(error).exitCode === 5
  )
  for (const passwordFile of [join(base, 'nowhere'), base]) {
    await assert.rejects(obtainPassword({ passwordFile }, ''), error => isBlyanError(error, 'PASSWORD_UNUSABLE'))
  }
  writeFileSync(file, 'short\n')
  await assert.rejects(obtainPassword({ passwordFile: file }, ''), error => isBlyanError(error, 'PASSWORD_UNUSABLE'))
  const answers = ['one password', 'another one']
  await assert.rejects(obtainNewPassword({ passwordFile: null, ask: async () => answers.pop()! }, ''), error =>
    isBlyanError(error, 'PASSWORD_UNUSABLE')
  )
})

test('init makes what is missing, finds the rest, and never touches a key or another network', async () => {
  const path = join(base, 'init')
  const genesis = { text: '{"network":"x"}', from: 'x.json' }
  const input = { path, genesis, settings: {}, env: {}, password: { passwordFile: null }, ...light }
  const first = await initialiseDataFolder(input)
  assert.deepEqual(
    first.items.map(({ item, state }) => `${item} ${state}`),
    ['genesis file made', 'configuration made', 'password made', 'node key made', 'account key made']
  )
  const keys = first.keys.map(key => key.publicKey)
  const again = await initialiseDataFolder({ ...input, genesis: null, settings: { 'node.roles': ['validator'] } })
  assert.deepEqual(
    again.items.map(({ item, state }) => `${item} ${state}`),
    ['genesis file found', 'configuration changed', 'node key found', 'account key found', 'validator key made']
  )
  assert.deepEqual(
    again.keys.filter(key => key.name !== 'validator').map(key => key.publicKey),
    keys
  )
  await assert.rejects(initialiseDataFolder({ ...input, genesis: { text: '{}', from: 'y.json' } }), error =>
    isBlyanError(error, 'GENESIS_DIFFERS')
  )
  const unlocked = await unlockNodeKeys(
    openKeyStore(join(path, 'keys')),
    await obtainPassword({ passwordFile: join(path, 'keys/password') }, ''),
    ['validator']
  )
  assert.equal(unlocked.validator?.scheme, 'ed25519')
  assert.deepEqual(
    unlocked.validators.map(({ name, key }) => [name, key === unlocked.validator]),
    [['validator', true]]
  )
})
