import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isBlyanError } from '../../src/errors/index.ts'
import { createModelSessions, type SessionLease } from '../../src/experts/engine/model-sessions.ts'
import { locatePart } from '../../src/experts/engine/part-file.ts'
import { type Architecture, describeModel } from '../../src/experts/index.ts'
import { createKeyValueCache, forwardHidden, forwardLogits, type ModelRunner } from '../../src/experts/model/forward.ts'
import { generateBytes } from '../../src/experts/model/generate.ts'
import { smallArchitecture, temporaryFolder, writeModel } from './model-folder.ts'
import { type Parameters, referenceLogits } from './reference-model.ts'

const tokens = new TextEncoder().encode('blyan: own it.')

const variants: Record<string, Partial<Architecture>> = {
  'softmax first, normalised, tied': {},
  'softmax first, not normalised': { router: { softmaxFirst: true, normalise: false } },
  'softmax over the chosen, untied, unscaled embeddings': {
    router: { softmaxFirst: false, normalise: false },
    tiedOutput: false,
    embeddingScale: 'one'
  },
  'one head for keys and values, one expert a token': { keyValueHeads: 1, expertsPerToken: 1 }
}

for (const [name, variant] of Object.entries(variants)) {
  test(`logits equal the float64 reference: ${name}`, async t => {
    const architecture = { ...smallArchitecture, ...variant }
    const { runner, parameters } = await loadInProcess(t, architecture)
    const logits = await logitsOf(runner, tokens)
    assertClose(logits, referenceLogits(architecture, parameters, tokens).flat())
  })
}

test('token by token with the cache gives what one pass gives', async t => {
  const { runner } = await loadInProcess(t, smallArchitecture)
  const cache = createKeyValueCache(smallArchitecture, tokens.length)
  const steps: number[] = []
  for (const piece of [tokens.subarray(0, 5), ...Array.from(tokens.subarray(5), byte => Uint8Array.of(byte))]) {
    steps.push(...(await forwardLogits(runner, await forwardHidden(runner, piece, cache))))
  }
  assertClose(Float32Array.from(steps), [...(await logitsOf(runner, tokens))])
})

test('a generated answer is what choosing from the reference again and again gives, past the end of the context', async t => {
  const { runner, parameters } = await loadInProcess(t, smallArchitecture)
  const made: number[] = []
  for await (const byte of generateBytes(runner, tokens, 12, indexOfHighest)) made.push(byte)
  let seen = [...tokens]
  for (const byte of made) {
    // The context of 16 is full: its newest half is read again.
    if (seen.length > 16) seen = seen.slice(-8)
    const row = referenceLogits(smallArchitecture, parameters, Uint8Array.from(seen)).at(-1)!
    assert.equal(byte, indexOfHighest(row))
    seen.push(byte)
  }
  assert.equal(made.length, 12)
})

test('a model that lacks a part names it when it is needed, and works once it is there', async t => {
  const folder = temporaryFolder(t)
  const { parts, parameters } = writeModel(folder, smallArchitecture, 4)
  const located = await Promise.all(parts.map(part => locatePart(part, part.shape, folder)))
  const missing = located.find(part => part.name === 'layer1.router')!
  const settings = { provider: 'cpu', threads: 1, tensorFolder: folder } as const
  const others = located.filter(part => part !== missing)
  const sessions = await createModelSessions('m', smallArchitecture, others, settings)
  const early = await sessions.lease()
  await assert.rejects(
    logitsOf(early, tokens),
    error => isBlyanError(error, 'PART_NOT_LOADED') && error.payload.part === missing.name
  )
  await early.end()
  await sessions.put(missing)
  const lease = await sessions.lease()
  assertClose(await logitsOf(lease, tokens), referenceLogits(smallArchitecture, parameters, tokens).flat())
  await sessions.release()
  // A lease outlives the release of its model.
  assert.equal((await logitsOf(lease, tokens)).length, tokens.length * 256)
  await lease.end()
})

async function loadInProcess(
  t: TestContext,
  architecture: Architecture
): Promise<{ runner: SessionLease; parameters: Parameters }> {
  const folder = temporaryFolder(t)
  const { parts, parameters } = writeModel(folder, architecture, 4)
  const shapes = new Map(describeModel(architecture).map(part => [part.name, part.shape]))
  const located = await Promise.all(parts.map(part => locatePart(part, shapes.get(part.name)!, folder)))
  const sessions = await createModelSessions('m', architecture, located, {
    provider: 'cpu',
    threads: 1,
    tensorFolder: folder
  })
  const runner = await sessions.lease()
  t.after(async () => {
    await runner.end()
    await sessions.release()
  })
  return { runner, parameters }
}

async function logitsOf(runner: ModelRunner, bytes: Uint8Array): Promise<Float32Array> {
  const cache = createKeyValueCache(runner.architecture, bytes.length)
  return forwardLogits(runner, await forwardHidden(runner, bytes, cache))
}

/** Largest difference within 1e-4 of the largest value. */
function assertClose(actual: Float32Array, expected: readonly number[]): void {
  assert.equal(actual.length, expected.length)
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  const error = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0)
  assert.ok(largest > 0.5, `logits up to ${largest} say little`)
  assert.ok(error / largest < 1e-4, `relative error ${error / largest}`)
}

function indexOfHighest(row: ArrayLike<number>): number {
  return Array.from(row).reduce((best, value, i) => (value > row[best]! ? i : best), 0)
}
