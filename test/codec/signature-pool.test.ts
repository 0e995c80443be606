import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createSignaturePool, generateSigningKey, type SignatureCheck } from '../../src/codec/index.ts'
import { decodeChecks, encodeChecks } from '../../src/codec/signature-batch.ts'

const keys = [generateSigningKey(), generateSigningKey('secp256k1'), generateSigningKey()]
const pool = createSignaturePool({ threadsMax: 2 })
after(() => pool.close())

/** Every third is wrong: another message, a damaged signature, or a key that is none. */
function checksOf(count: number): { checks: SignatureCheck[]; expected: boolean[] } {
  const checks = Array.from({ length: count }, (_, place): SignatureCheck => {
    const key = keys[place % keys.length]!
    const message = new TextEncoder().encode(`message ${place}`)
    const check = { publicKey: key.publicKey, message, signature: key.sign(message) }
    if (place % 3 !== 2) return check
    if (place % 9 === 2) return { ...check, message: Uint8Array.of(1) }
    if (place % 9 === 5) return { ...check, signature: check.signature.map((byte, at) => (at === 7 ? byte ^ 1 : byte)) }
    return { ...check, publicKey: new Uint8Array(34) }
  })
  return { checks, expected: checks.map((_, place) => place % 3 !== 2) }
}

test('checks go to another thread and come back as they were', () => {
  const { checks } = checksOf(20)
  const again = decodeChecks(encodeChecks(checks))
  assert.deepEqual(
    again,
    checks.map(({ publicKey, message, signature }) => ({ publicKey, message, signature }))
  )
  assert.deepEqual(decodeChecks(encodeChecks([])), [])
})

for (const count of [0, 1, 5, 6, 127, 128, 129, 700]) {
  test(`${count} at once get a verdict each, in their order`, async () => {
    const { checks, expected } = checksOf(count)
    assert.deepEqual(await pool.verify(checks), expected)
  })
}

test('many callers at once each get their own verdicts', async () => {
  const sizes = [1, 40, 3, 200, 7, 0, 90]
  const asked = sizes.map(size => checksOf(size))
  const answers = await Promise.all(asked.map(({ checks }) => pool.verify(checks)))
  assert.deepEqual(
    answers,
    asked.map(({ expected }) => expected)
  )
})

test('what is asked for while the pool closes, and after, is answered too', async () => {
  const closing = createSignaturePool({ threadsMax: 1 })
  const { checks, expected } = checksOf(400)
  const asked = closing.verify(checks)
  await new Promise(resolve => setImmediate(resolve))
  await closing.close()
  assert.deepEqual(await asked, expected)
  assert.deepEqual(await closing.verify(checks.slice(0, 30)), expected.slice(0, 30))
})
