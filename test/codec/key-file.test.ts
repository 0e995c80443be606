import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesToHex, decryptKey, encryptKey, generateSigningKey, type KeyFile } from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'

const password = 'pässword'
const key = generateSigningKey()
const file = await encryptKey({
  key,
  name: 'mine',
  password,
  cost: { n: 16, r: 8, p: 1 },
  salt: new Uint8Array(32).fill(1),
  nonce: new Uint8Array(12).fill(2),
  createdAt: '2026-01-01T00:00:00.000Z'
})
const refuses = (changed: unknown, ...codes: ('KEY_INVALID' | 'KEY_PASSWORD_WRONG')[]) =>
  assert.rejects(
    decryptKey(changed as KeyFile, password),
    error => codes.some(code => isBlyanError(error, code)),
    JSON.stringify(changed)
  )

test('the password opens the file, however its accents are composed', async () => {
  for (const text of [password, password.normalize('NFD')])
    assert.equal(bytesToHex((await decryptKey(file, text)).exportSecret()), bytesToHex(key.exportSecret()))
  assert.equal(JSON.stringify(file).includes(bytesToHex(key.exportSecret())), false)
})

test('another password does not', async () => {
  for (const text of ['', 'passwort', `${password} `])
    await assert.rejects(decryptKey(file, text), error => isBlyanError(error, 'KEY_PASSWORD_WRONG'))
})

test('no field can be changed', async () => {
  const flip = (hex: string) => (hex[0] === '0' ? '1' : '0') + hex.slice(1)
  const other = generateSigningKey()
  const changes: object[] = [
    { ...file, name: 'other' },
    { ...file, createdAt: '2025-01-01T00:00:00.000Z' },
    { ...file, scheme: 'secp256k1' },
    {
      ...file,
      publicKey: (
        await encryptKey({
          key: other,
          name: 'x',
          password,
          cost: { n: 16, r: 8, p: 1 },
          salt: new Uint8Array(32),
          nonce: new Uint8Array(12),
          createdAt: ''
        })
      ).publicKey
    },
    { ...file, kdf: { ...file.kdf, salt: flip(file.kdf.salt) } },
    { ...file, kdf: { ...file.kdf, n: 32 } },
    { ...file, kdf: { ...file.kdf, r: 4 } },
    { ...file, kdf: { ...file.kdf, p: 2 } },
    { ...file, cipher: { ...file.cipher, nonce: flip(file.cipher.nonce) } },
    { ...file, cipher: { ...file.cipher, text: flip(file.cipher.text) } },
    { ...file, cipher: { ...file.cipher, tag: flip(file.cipher.tag) } }
  ]
  for (const changed of changes) await refuses(changed, 'KEY_PASSWORD_WRONG')
})

test('a shortened tag is refused: it would be easier to forge', async () => {
  for (const length of [0, 8, 16, 24, 30])
    await refuses({ ...file, cipher: { ...file.cipher, tag: file.cipher.tag.slice(0, length) } }, 'KEY_PASSWORD_WRONG')
})

test('a cost beyond any sense is refused before any of it is paid', async () => {
  const start = performance.now()
  for (const cost of [
    { n: 2 ** 21 },
    { n: 2 ** 40 },
    { r: 64 },
    { p: 1e9 },
    { n: Number.POSITIVE_INFINITY },
    { n: 'many' },
    { n: null, r: undefined }
  ])
    await refuses({ ...file, kdf: { ...file.kdf, ...cost } }, 'KEY_INVALID', 'KEY_PASSWORD_WRONG')
  assert.ok(performance.now() - start < 1000)
})

test('a file of another kind is refused by name', async () => {
  for (const changed of [
    {},
    { ...file, schema: 'blyan.key/2' },
    { ...file, cipher: undefined },
    { ...file, kdf: undefined },
    { ...file, cipher: { ...file.cipher, name: 'none' } },
    { ...file, kdf: { ...file.kdf, name: 'pbkdf2' } }
  ])
    await refuses(changed, 'KEY_INVALID')
  for (const changed of [
    { ...file, cipher: { ...file.cipher, text: undefined } },
    { ...file, cipher: { ...file.cipher, nonce: '' } },
    { ...file, kdf: { ...file.kdf, n: 0 } },
    { ...file, kdf: { ...file.kdf, n: 17 } },
    { ...file, kdf: { ...file.kdf, salt: 5 } }
  ])
    await refuses(changed, 'KEY_INVALID', 'KEY_PASSWORD_WRONG')
})
