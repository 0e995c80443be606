import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { isBlyanError } from '../../src/errors/index.ts'
import { spawnEngineProcess } from '../../src/experts/engine/engine-child.ts'
import { createEngineLink } from '../../src/experts/engine/engine-link.ts'
import { createFrameChannel, type Frame } from '../../src/experts/engine/frame-channel.ts'
import { encodeFrame } from '../../src/experts/engine/frame-codec.ts'
import { defaultEngineLimits } from '../../src/experts/index.ts'
import { silentLogger, temporaryFolder } from './model-folder.ts'

const frames: Frame[] = [
  { id: 1 },
  { id: 2, data: new Uint8Array(3000).fill(7) },
  { id: 3, rows: new Uint8Array(2048).fill(1), more: new Uint8Array(2049).fill(2), few: new Uint8Array(3) },
  {},
  { text: 'ü', list: [1, { a: null }] }
]

test('frames arrive whole and in order however the stream cuts them', () => {
  const bytes = Buffer.concat(frames.flatMap(encodeFrame))
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1 }), sizes => {
      const { stream, received } = listen()
      for (let offset = 0, i = 0; offset < bytes.length; i++) {
        const size = sizes[i % sizes.length]!
        stream.emit('data', bytes.subarray(offset, offset + size))
        offset += size
      }
      assert.deepEqual(received, frames)
    })
  )
})

test('whatever else arrives ends the channel once and never throws', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1 }), chunks => {
      const { stream, ends } = listen()
      for (const chunk of chunks) stream.emit('data', Buffer.from(chunk))
      assert.ok(ends.length <= 1)
    })
  )
  const cases = {
    large: '7fffffff',
    'no head': '0000000180',
    list: '000000050000000180',
    'not canonical': '00000006000000021817',
    truncated: '0000000500000001a1',
    'a head that ends too late': '00000005000000ffa0',
    'more than its tails': '0000000600000001a000'
  }
  for (const [name, hex] of Object.entries(cases)) {
    const { stream, ends } = listen()
    stream.emit('data', Buffer.from(hex, 'hex'))
    assert.equal(ends.length, 1, name)
  }
})

test('a frame above the limit is refused before it is sent', () => {
  const { channel } = listen()
  assert.throws(
    () => channel.send({ data: new Uint8Array(5000) }),
    error => isBlyanError(error, 'ENGINE_REQUEST_INVALID')
  )
})

for (const [name, garbage] of Object.entries({
  'no frame': Buffer.from('00000004deadbeef', 'hex'),
  'a giant frame': Buffer.from('ffffffff00', 'hex'),
  'a frame without an id': Buffer.concat(encodeFrame({ operation: 'status' }))
})) {
  test(`an engine process that is sent ${name} ends`, async t => {
    const task = {
      task: 'serve',
      tensorFolder: temporaryFolder(t),
      provider: 'cpu',
      threads: 1,
      frameBytesMax: 4096,
      bounds: defaultEngineLimits
    } as const
    const child = spawnEngineProcess(task)
    const channel = child.stdio[3] as Duplex
    channel.on('error', () => {})
    channel.resume()
    channel.write(garbage)
    const [code] = await once(child, 'exit')
    assert.equal(code, 3)
  })
}

test('a daemon whose engine process talks nonsense loses requests, not itself, and gives up after its restarts', async t => {
  const ready = Buffer.concat(encodeFrame({ ready: true })).toString('hex')
  const script = `
    const { writeSync } = require('node:fs')
    writeSync(3, Buffer.from('${ready}', 'hex'))
    setTimeout(() => writeSync(3, 'nonsense'), 100)
    setTimeout(() => {}, 700)`
  const link = createEngineLink({
    spawnProcess: () => spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] }),
    limits: { ...defaultEngineLimits, backOffMs: 1, restartsMax: 1 },
    logger: silentLogger
  })
  t.after(() => link.stop())
  await link.start()
  const first = link.request(await link.ready(), 'status', {})
  await assert.rejects(first, error => isBlyanError(error, 'ENGINE_LOST'))
  const second = link.request(await link.ready(), 'status', {})
  await assert.rejects(second, error => isBlyanError(error, 'ENGINE_LOST'))
  await assert.rejects(link.ready(), error => isBlyanError(error, 'ENGINE_FAILED'))
  assert.equal(link.restarts, 1)
})

test('a silent engine process is taken for hung: the request times out and another process is started', async t => {
  const ready = Buffer.concat(encodeFrame({ ready: true })).toString('hex')
  const script = `require('node:fs').writeSync(3, Buffer.from('${ready}', 'hex')); setTimeout(() => {}, 700)`
  const link = createEngineLink({
    spawnProcess: () => spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] }),
    limits: { ...defaultEngineLimits, backOffMs: 1, requestTimeoutMs: 150 },
    logger: silentLogger
  })
  t.after(() => link.stop())
  await link.start()
  const before = await link.ready()
  await assert.rejects(link.request(before, 'status', {}), error => isBlyanError(error, 'ENGINE_TIMEOUT'))
  await assert.rejects(link.request(before, 'status', {}), error => isBlyanError(error))
  while ((await link.ready()) === before) await new Promise(resolve => setTimeout(resolve, 10))
})

function listen(): {
  stream: Duplex
  channel: ReturnType<typeof createFrameChannel>
  received: Frame[]
  ends: string[]
} {
  const stream = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
  const received: Frame[] = []
  const ends: string[] = []
  const channel = createFrameChannel({
    stream,
    frameBytesMax: 5000,
    onFrame: frame => received.push(frame),
    onEnd: reason => ends.push(reason)
  })
  return { stream, channel, received, ends }
}
