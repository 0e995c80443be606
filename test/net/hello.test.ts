import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeCanonical } from '../../src/codec/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { decodeHello, encodeHello } from '../../src/net/hello.ts'
import { refusesOnlyByName } from '../codec/fuzz.ts'

const hello = {
  genesis: 'bafy',
  version: '0.1.0',
  roles: ['validator'],
  addresses: ['/ip4/127.0.0.1/tcp/1'],
  refusal: ''
}

test('a hello comes out as it went in', () => {
  assert.deepEqual(decodeHello(encodeHello(hello)), hello)
})

test('a hello that says too much is refused', () => {
  const many = (count: number) => new Array<string>(count).fill('x')
  for (const bad of [
    { ...hello, roles: many(9) },
    { ...hello, addresses: many(33) },
    { ...hello, genesis: 'x'.repeat(257) },
    { ...hello, addresses: ['x'.repeat(257)] },
    { ...hello, refusal: 'x'.repeat(20_000) }
  ])
    assert.throws(
      () => decodeHello(encodeHello(bad)),
      error => isBlyanError(error, 'ENCODING_INVALID')
    )
  assert.throws(
    () => decodeHello(encodeCanonical([2, 'a', 'b', [], [], ''])),
    error => isBlyanError(error, 'ENCODING_INVALID')
  )
})

test('whatever bytes come, the decoder answers or refuses by name', () => {
  refusesOnlyByName(decodeHello, [encodeHello(hello)])
})
