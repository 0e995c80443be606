import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { BlyanError } from '../../errors/index.ts'
import { genesisArchitecture, genesisParts, littleEndianBytes } from '../../experts/index.ts'
import type { BlockView, EvaluateResult, SubmittedEvent, TensorPut } from '../../node/index.ts'
import { type DaemonClient, DaemonError } from '../daemon-client.ts'

/** What the main job asks of nodes, over the same interfaces that people use. */
export const expertName = 'layer0.expert0'
export const evaluateTimeoutMs = 300_000
export const fetchTimeoutMs = 120_000
const sampleBytes = 96
const unmeasured = 'PART_NOT_MEASURED'
const launcher = fileURLToPath(new URL('../../../bin/blyan-node', import.meta.url))

/** Drawn anew like the genesis experts, from another seed: real weights of the right shape, untrained. */
export function newExpertFile(seed: string): Uint8Array {
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

export function upload(daemon: DaemonClient, bytes: Uint8Array): Promise<TensorPut> {
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

/** The code with which the network refuses a version that nobody measured. Throws MAIN_JOB_FAILED when it does not. */
export async function refusedExpert(daemon: DaemonClient, put: TensorPut, parent: string): Promise<string> {
  const payload = { name: expertName, layer: 0, tensor: put.cid, shape: put.shape, parent }
  try {
    await daemon.json<SubmittedEvent>({
      method: 'POST',
      path: '/v0/events',
      query: { wait: true, timeoutMs: 20_000 },
      body: { type: 'expert', payload },
      timeoutMs: 30_000
    })
  } catch (error) {
    if (error instanceof DaemonError && error.refusal === unmeasured) return error.refusal
    throw error
  }
  throw new BlyanError('MAIN_JOB_FAILED', { reason: 'an expert that nobody measured was taken' })
}

export async function findBlock(daemon: DaemonClient, cid: string | null): Promise<BlockView> {
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

export async function verifyTensor(
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

/** `parts`: `name=CID`, versions that stand in for the newest. */
export function evaluate(daemon: DaemonClient, text: Uint8Array, parts?: string): Promise<EvaluateResult> {
  async function* once(): AsyncIterable<Uint8Array> {
    yield text
  }
  return daemon.json({
    method: 'POST',
    path: '/v0/evaluate',
    query: { timeoutMs: evaluateTimeoutMs, parts },
    upload: { bytes: once(), sizeBytes: text.length },
    timeoutMs: evaluateTimeoutMs
  })
}

/** Reads the bytes out of the server-sent events of an answer. Throws MAIN_JOB_FAILED when it ends in an error. */
export async function generate(daemon: DaemonClient, prompt: Uint8Array): Promise<Uint8Array> {
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
export async function fetchProof(daemon: DaemonClient, eventId: string): Promise<Uint8Array> {
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

export function verifyInOwnProcess(
  proofFile: string,
  genesisFile: string
): Promise<{ valid: boolean; signers: string[] }> {
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

export function requireThat(holds: boolean, reason: string): void {
  if (!holds) throw new BlyanError('MAIN_JOB_FAILED', { reason })
}
