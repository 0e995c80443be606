import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dataFolderPaths, type EventView, type ExpertView, type TensorView } from '../../node/index.ts'
import { connectToDaemon, type DaemonClient } from '../daemon-client.ts'
import type { Devnet } from './folders.ts'
import type { InputText } from './input-text.ts'
import { type Adoption, learnUntilAdopted } from './learning-job.ts'
import { learningTexts } from './learning-texts.ts'
import {
  evaluate,
  expertName,
  fetchProof,
  fetchTimeoutMs,
  findBlock,
  generate,
  newExpertFile,
  refusedExpert,
  requireThat,
  upload,
  verifyInOwnProcess,
  verifyTensor
} from './main-job-calls.ts'

/** One line of the table that the job ends with. */
export type Step = { readonly what: string; readonly result: string; readonly elapsedMs: number }

export type MainJobResult = {
  /** Of the random expert that was refused: its tensor, and the loss with it all the same. */
  readonly refused: { readonly tensor: string; readonly code: string }
  readonly lossNatsPerByte: number
  readonly genesisLossNatsPerByte: number
  readonly textBytes: number
  readonly learning: Omit<Adoption, 'learners'> & {
    readonly learners: number
    /** On the given text; what validators measured on text that nobody trains on is `heldOut`. */
    readonly beforeNatsPerByte: number
    readonly afterNatsPerByte: number
    readonly sampleBefore: string
    readonly sampleAfter: string
  }
  /** Of an expert that was accepted. */
  readonly tensor: string
  readonly event: string
  readonly sequence: number
  readonly block: string
  readonly sample: string
  readonly proofBytes: number
  readonly proofSigners: number
  readonly steps: readonly Step[]
}

type Job = {
  readonly devnet: Devnet
  readonly input: InputText
  readonly scratch: string
  readonly maker: DaemonClient
  readonly answerer: DaemonClient
  readonly note: (text: string) => void
  readonly step: <T>(what: string, work: () => Promise<T>, result: (value: T) => string) => Promise<T>
}

const promptBytesMax = 64

/**
 * Everything once, each step over the same interfaces that people use: the network refuses an expert that nobody measured,
 * two machines learn from the given text until a quorum has measured and adopted what they made, another node computes with
 * it, and a process that knows the genesis file alone checks that it is final. Throws when any part fails.
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
  const step: Job['step'] = async (what, work, result) => {
    note(`${what} ...`)
    const startedAtMs = performance.now()
    const value = await work()
    steps.push({ what, result: result(value), elapsedMs: performance.now() - startedAtMs })
    return value
  }
  const job = { devnet, input, scratch, maker, answerer, note, step }
  try {
    const refusal = await refuseRandomExpert(job)
    const learning = await learn(job, refusal.genesisLossNatsPerByte)
    const proven = await prove(job, learning)
    return { ...refusal, ...proven, textBytes: input.bytes.length, learning, sample: learning.sampleAfter, steps }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** A tensor anybody may store and compute with, and no version of the model: nobody measured that it is better. */
async function refuseRandomExpert({
  devnet,
  input,
  maker,
  answerer,
  step
}: Job): Promise<Pick<MainJobResult, 'refused' | 'lossNatsPerByte' | 'genesisLossNatsPerByte'>> {
  const before = await step(
    'loss of the genesis model at another node',
    () => evaluate(answerer, input.bytes),
    value => `${value.lossNatsPerByte.toFixed(4)} nats per byte on ${value.bytes} bytes, ${value.device}`
  )
  const put = await step(
    'a random, untrained expert: TensorBlock, IPFS',
    () => upload(maker, newExpertFile(`${devnet.root} ${Date.now()}`)),
    value => value.cid
  )
  const code = await step(
    'its event, PREPARE/COMMIT, final: refused',
    async () => refusedExpert(maker, put, (await maker.json<ExpertView>({ path: `/v0/experts/${expertName}` })).block),
    value => `${value}: nobody measured it`
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
  const withIt = await step(
    'loss with it beside the newest version',
    () => evaluate(answerer, input.bytes, `${expertName}=${put.cid}`),
    value => `${value.lossNatsPerByte.toFixed(4)} nats per byte`
  )
  return {
    refused: { tensor: put.cid, code },
    lossNatsPerByte: withIt.lossNatsPerByte,
    genesisLossNatsPerByte: before.lossNatsPerByte
  }
}

async function learn(
  { devnet, input, scratch, answerer, note, step }: Job,
  beforeNatsPerByte: number
): Promise<MainJobResult['learning']> {
  const prompt = input.bytes.subarray(0, promptBytesMax)
  const sample = (): Promise<string> => generate(answerer, prompt).then(bytes => new TextDecoder().decode(bytes))
  const loss = (): Promise<number> => evaluate(answerer, input.bytes).then(({ lossNatsPerByte }) => lossNatsPerByte)
  const sampleBefore = await step('a sample before', sample, value => `${value.length} characters`)
  const texts = await learningTexts(input, scratch)
  if (texts.added !== null) note(texts.added)
  const { learners, ...adoption } = await step(
    'two nodes learn from the text; validators measure it',
    () => learnUntilAdopted({ folders: learnerFolders(devnet), answerer, texts, note }),
    adoptionText
  )
  const afterNatsPerByte = await step(
    'loss of the new version at another node',
    loss,
    value => `${value.toFixed(4)} nats per byte on the given text, ${beforeNatsPerByte.toFixed(4)} before`
  )
  requireThat(afterNatsPerByte < beforeNatsPerByte, 'the loss on the given text is not lower')
  const sampleAfter = await step('a sample after', sample, value => `${value.length} characters`)
  const count = learners.length
  return { ...adoption, learners: count, beforeNatsPerByte, afterNatsPerByte, sampleBefore, sampleAfter }
}

async function prove(
  { devnet, answerer, maker, scratch, step }: Job,
  learning: Pick<Adoption, 'expertEvents'>
): Promise<Pick<MainJobResult, 'tensor' | 'event' | 'sequence' | 'block' | 'proofBytes' | 'proofSigners'>> {
  const accepted = learning.expertEvents.at(-1)!
  const shown = await step(
    'who PREPAREd and COMMITted its newest expert',
    () => maker.json<EventView>({ path: `/v0/events/${accepted.event}` }),
    value => `${value.prepared.length} and ${value.committed.length} of ${validatorsOf(devnet)}`
  )
  const block = await step(
    'its block on chain B, seen at another node',
    () => findBlock(answerer, accepted.block),
    value => `${value.block_type} ${value.expert_name}, block ${value.index}`
  )
  const proof = await step(
    'finality proof written',
    () => fetchProof(maker, accepted.event),
    value => `${value.length} bytes`
  )
  const proofFile = join(scratch, 'event.proof')
  await writeFile(proofFile, proof)
  const verdict = await step(
    'proof verified by another process from genesis alone',
    () => verifyInOwnProcess(proofFile, devnet.genesisFile),
    value => `${value.signers.length} signatures`
  )
  requireThat(shown.final && block.event === accepted.event, 'the block does not name the event')
  return {
    tensor: accepted.tensor,
    event: accepted.event,
    sequence: shown.sequence ?? 0,
    block: block.cid,
    proofBytes: proof.length,
    proofSigners: verdict.signers.length
  }
}

function adoptionText({ rounds, heldOut, expertEvents, acceptedDeltas }: Adoption): string {
  const { beforeNats, afterNats } = heldOut
  return `${rounds} ${rounds === 1 ? 'version' : 'versions'} of ${acceptedDeltas} deltas, ${expertEvents.length} expert events; held-out loss ${beforeNats.toFixed(4)} -> ${afterNats.toFixed(4)} nats per byte`
}

/** Nodes that follow are better at it; without them validators learn as well. */
function learnerFolders({ folders }: Devnet): string[] {
  const inOrder = [
    ...folders.filter(({ role }) => role === 'learner'),
    ...folders.filter(({ role }) => role === 'validator')
  ]
  return inOrder.slice(0, 2).map(({ path }) => path)
}

function validatorsOf(devnet: Devnet): number {
  return devnet.folders.filter(folder => folder.role === 'validator').length
}
