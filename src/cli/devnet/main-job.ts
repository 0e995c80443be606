import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BlyanError } from '../../errors/index.ts'
import { genesisArchitecture, genesisParts, littleEndianBytes } from '../../experts/index.ts'
import {
  type BlockView,
  dataFolderPaths,
  type EvaluateResult,
  type EventView,
  type SubmittedEvent,
  type TensorPut,
  type TensorView
} from '../../node/index.ts'
import { connectToDaemon, type DaemonClient } from '../daemon-client.ts'
import type { Devnet } from './folders.ts'
import type { InputText } from './input-text.ts'

/** One line of the table that the job ends with. */
export type Step = { readonly what: string; readonly result: string; readonly elapsedMs: number }

export type MainJobResult = {
  readonly tensor: string
  readonly event: string
  readonly sequence: number
  readonly block: string
  readonly lossNatsPerByte: number
  readonly genesisLossNatsPerByte: number
  readonly textBytes: number
  readonly sample: string
  readonly proofBytes: number
  readonly proofSigners: number
  readonly steps: readonly Step[]
}

const expertName = 'layer0.expert0'
const evaluateTimeoutMs = 120_000
const fetchTimeoutMs = 60_000
const sampleBytes = 96
const promptBytesMax = 64
const launcher = fileURLToPath(new URL('../../../bin/blyan-node', import.meta.url))

/**
 * Everything once, each step over the same interfaces that people use: a tensor into IPFS, an expert event made final,
 * its block, the tensor at another node, the model with it on real text, and a proof checked by a process that knows
 * the genesis file alone. Throws when any part fails.
 */
export async function runMainJob(
  devnet: Devnet,
  input: InputText,
  note: (text: string) => void
): Promise<MainJobResult> {
  const maker = await connectToDaemon(dataFolderPaths(devnet.folders[0]!.path))
  const answerer = await connectToDaemon(dataFolderPaths(devnet.folders[Math.min(2, devnet.folders.length - 1)]!.path))
  const scratch = await mkdtemp(join(tmpdir(), 'blyan-job-'))
  const steps: Step[] = []
  const step = async <T>(what: string, work: () => Promise<T>, result: (value: T) => string): Promise<T> => {
    note(`${what} ...`)
    const startedAtMs = performance.now()
    const value = await work()
    steps.push({ what, result: result(value), elapsedMs: performance.now() - startedAtMs })
    return value
  }
  try {
    const before = await step(
      'loss of the genesis model at another node',
      () => evaluate(answerer, input.bytes),
      value => `${value.lossNatsPerByte.toFixed(4)} nats per byte on ${value.bytes} bytes, ${value.device}`
    )
    const npy = await step(
      'a new version of an expert as .npy, random, untrained',
      async () => newExpertFile(`${devnet.root} ${Date.now()}`),
      value => `${value.length} bytes`
    )
    const put = await step(
      'TensorBlock, IPFS',
      () => upload(maker, npy),
      value => value.cid
    )
    const submitted = await step(
      'expert event, PREPARE/COMMIT, final',
      () => submitExpert(maker, put),
      value => `place ${value.sequence} in the order`
    )
    const shown = await step(
      'who PREPAREd and COMMITted',
      () => maker.json<EventView>({ path: `/v0/events/${submitted.eventId}` }),
      value => `${value.prepared.length} and ${value.committed.length} of ${validatorsOf(devnet)}`
    )
    const block = await step(
      'block on chain B, seen at another node',
      () => findBlock(answerer, submitted.block),
      value => `${value.block_type} ${value.expert_name}, block ${value.index}`
    )
    await step(
      'tensor at another node over Bitswap',
      () =>
        answerer.json<TensorView>({
          method: 'POST',
          path: `/v0/tensors/${put.cid}/fetch`,
          query: { timeoutMs: fetchTimeoutMs },
          timeoutMs: fetchTimeoutMs
        }),
      value => `${value.leaves} leaves`
    )
    await step(
      'tensor verified there',
      () => verifyTensor(answerer, put.cid),
      value => `${value.leavesChecked} leaves hashed`
    )
    const after = await step(
      'mapped into its engine, loss with it',
      () => evaluate(answerer, input.bytes),
      value => `${value.lossNatsPerByte.toFixed(4)} nats per byte on ${value.bytes} bytes`
    )
    requireThat(after.replaced?.tensor === put.cid, 'the engine did not compute with the new expert')
    const sample = await step(
      'a sample of the untrained model',
      () => generate(answerer, input.bytes.subarray(0, promptBytesMax)),
      value => `${value.length} bytes`
    )
    const proof = await step(
      'finality proof written',
      () => fetchProof(maker, submitted.eventId),
      value => `${value.length} bytes`
    )
    const proofFile = join(scratch, 'event.proof')
    await writeFile(proofFile, proof)
    const verdict = await step(
      'proof verified by another process from genesis alone',
      () => verifyInOwnProcess(proofFile, devnet.genesisFile),
      value => `${value.signers.length} signatures`
    )
    requireThat(shown.final && block.event === submitted.eventId, 'the block does not name the event')
    return {
      tensor: put.cid,
      event: submitted.eventId,
      sequence: submitted.sequence ?? 0,
      block: block.cid,
      lossNatsPerByte: after.lossNatsPerByte,
      genesisLossNatsPerByte: before.lossNatsPerByte,
      textBytes: after.bytes,
      sample: new TextDecoder().decode(sample),
      proofBytes: proof.length,
      proofSigners: verdict.signers.length,
      steps
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Drawn anew like the genesis experts, from another seed: real weights of the right shape, untrained. */
function newExpertFile(seed: string): Uint8Array {
  for (const part of genesisParts(genesisArchitecture(seed))) {
    if (part.name !== expertName) continue
    const description = `{'descr': '<f4', 'fortran_order': False, 'shape': (${part.shape.join(', ')}), }`
    const padded = `${description.padEnd(Math.ceil((10 + description.length + 1) / 64) * 64 - 11)}\n`
    const head = Buffer.concat([
      Buffer.from([0x93]),
      Buffer.from('NUMPY'),
      Buffer.from([1, 0, padded.length & 255, padded.length >> 8]),
      Buffer.from(padded)
    ])
    return Buffer.concat([head, littleEndianBytes(part.data)])
  }
  throw new BlyanError('MAIN_JOB_FAILED', { reason: `the model has no ${expertName}` })
}

function upload(daemon: DaemonClient, bytes: Uint8Array): Promise<TensorPut> {
  async function* once(): AsyncIterable<Uint8Array> {
    yield bytes
  }
  return daemon.json({
    method: 'POST',
    path: '/v0/tensors',
    query: { format: 'npy', name: expertName },
    upload: { bytes: once(), sizeBytes: bytes.length },
    timeoutMs: fetchTimeoutMs
  })
}

function submitExpert(daemon: DaemonClient, put: TensorPut): Promise<SubmittedEvent> {
  const payload = { name: expertName, layer: 0, tensor: put.cid, shape: put.shape }
  return daemon.json({
    method: 'POST',
    path: '/v0/events',
    query: { wait: true, timeoutMs: 20_000 },
    body: { type: 'expert', payload },
    timeoutMs: 30_000
  })
}

async function findBlock(daemon: DaemonClient, cid: string | null): Promise<BlockView> {
  for (const endsAtMs = performance.now() + 10_000; performance.now() < endsAtMs; ) {
    for await (const block of daemon.lines<BlockView>({
      path: '/v0/chains/B/blocks',
      query: { from: 0, limit: 10_000 }
    }))
      if (block.cid === cid) return block
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new BlyanError('MAIN_JOB_FAILED', { reason: 'the other node has not got the block' })
}

async function verifyTensor(
  daemon: DaemonClient,
  cid: string
): Promise<{ valid: boolean; reason: string | null; leavesChecked: number }> {
  const verdict = await daemon.json<{ valid: boolean; reason: string | null; leavesChecked: number }>({
    method: 'POST',
    path: `/v0/tensors/${cid}/verify`,
    timeoutMs: fetchTimeoutMs
  })
  requireThat(verdict.valid, `the tensor does not verify: ${verdict.reason}`)
  return verdict
}

function evaluate(daemon: DaemonClient, text: Uint8Array): Promise<EvaluateResult> {
  async function* once(): AsyncIterable<Uint8Array> {
    yield text
  }
  return daemon.json({
    method: 'POST',
    path: '/v0/evaluate',
    query: { timeoutMs: evaluateTimeoutMs },
    upload: { bytes: once(), sizeBytes: text.length },
    timeoutMs: evaluateTimeoutMs
  })
}

/** Reads the bytes out of the server-sent events of an answer. Throws MAIN_JOB_FAILED when it ends in an error. */
async function generate(daemon: DaemonClient, prompt: Uint8Array): Promise<Uint8Array> {
  const body = {
    prompt: { base64: Buffer.from(prompt).toString('base64') },
    tokensMax: sampleBytes,
    temperature: 0.8,
    seed: 1
  }
  const answer = await daemon.bytes({ method: 'POST', path: '/v0/generate', body, timeoutMs: evaluateTimeoutMs })
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  const parts: Buffer[] = []
  for (const event of Buffer.concat(chunks).toString().split('\n\n')) {
    const data = /^data: (.*)$/m.exec(event)?.[1]
    requireThat(!event.startsWith('event: error'), `no answer: ${data}`)
    if (event.startsWith('event: part') && data !== undefined)
      parts.push(Buffer.from((JSON.parse(data) as { base64: string }).base64, 'base64'))
  }
  requireThat(parts.length > 0, 'the model gave no answer')
  return Buffer.concat(parts)
}

/** The proof exists once a quorum has signed the checkpoint: a moment after the event is final. */
async function fetchProof(daemon: DaemonClient, eventId: string): Promise<Uint8Array> {
  let failure: unknown
  for (const endsAtMs = performance.now() + 20_000; performance.now() < endsAtMs; ) {
    try {
      const answer = await daemon.bytes({ path: `/v0/events/${eventId}/proof` })
      const chunks: Buffer[] = []
      for await (const chunk of answer) chunks.push(chunk as Buffer)
      return Buffer.concat(chunks)
    } catch (error) {
      failure = error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  throw failure
}

function verifyInOwnProcess(proofFile: string, genesisFile: string): Promise<{ valid: boolean; signers: string[] }> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      process.execPath,
      [launcher, 'event', 'verify', proofFile, '--genesis', genesisFile, '--json'],
      { stdio: ['ignore', 'pipe', 'ignore'] }
    )
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve(JSON.parse(Buffer.concat(chunks).toString()) as { valid: boolean; signers: string[] })
      else
        reject(
          new BlyanError('MAIN_JOB_FAILED', {
            reason: `the proof was not accepted: ${Buffer.concat(chunks).toString().slice(0, 300)}`
          })
        )
    })
  })
}

function validatorsOf(devnet: Devnet): number {
  return devnet.folders.filter(folder => folder.role === 'validator').length
}

function requireThat(holds: boolean, reason: string): void {
  if (!holds) throw new BlyanError('MAIN_JOB_FAILED', { reason })
}
