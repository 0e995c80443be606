import { hexToBytes } from '../../src/codec/index.ts'
import { lineageOf } from '../../src/datasets/index.ts'
import { parseArchitecture } from '../../src/experts/index.ts'
import {
  assignmentOf,
  commitmentOf,
  createModelParts,
  findNonce,
  learningSettings,
  newestTensors,
  readRound,
  trainingShards,
  workDigest
} from '../../src/learning/index.ts'
import type { BlyanNode } from '../../src/node/index.ts'
import { codecNamed, digestOfValues, packDeltaFile, type TileLayout, tileElements } from '../../src/tiles/index.ts'
import { encodeHeaderRegion } from '../../src/tiles/tensor-block.ts'
import { until } from './learning-network.ts'

export type Poison = (values: Float32Array, part: string) => void

/** A learner that trains nothing: it offers what it likes for every part, by the rules of the events. */
export class HostileLearner {
  readonly node: BlyanNode
  readonly account: string

  constructor(node: BlyanNode, account: string) {
    this.node = node
    this.account = account
  }

  async submit(type: string, json: unknown): Promise<void> {
    const payload = this.node.encodePayload(type, json)
    await this.node.submitEvent({ type, payload }, { wait: true, timeoutMs: 20_000 })
  }

  async join(region = 'local'): Promise<void> {
    await this.submit('learner-join', { model: 'genesis', region, parts: ['*'], bytesMax: 0 })
  }

  /** Takes part in the next window in which `isTime`, with a delta made by `poison`; resolves when it is revealed. */
  async offer(poison: Poison, isTime: () => boolean): Promise<{ round: number; delta: string }> {
    const { ledger } = this.node
    await until('a window', () => readRound(ledger.state, 'genesis')?.phase === 'training' && isTime())
    const round = readRound(ledger.state, 'genesis')!
    const bytes = this.file(poison, round.number)
    const { cid } = await putBytes(this.node, bytes)
    const salt = 'ab'.repeat(32)
    const commitment = commitmentOf({ delta: cid, salt, account: this.account })
    const work = { account: this.account, model: 'genesis', round: round.number, commitment }
    const { workBits } = learningSettings(ledger.state, ledger.genesis)
    const nonce = await findNonce(workDigest(ledger.genesis, work), workBits)
    const head = { model: 'genesis', round: round.number }
    await this.submit('delta-commit', { ...head, baseRound: round.number, commitment, tokens: 1024, nonce })
    await until('the reveal', () => readRound(ledger.state, 'genesis')?.phase === 'revealing')
    const [shard] = trainingShards(ledger.state)
    const { seed } = assignmentOf(ledger.state, ledger.genesis, 'genesis', this.account)
    const { contextTokens } = parseArchitecture(ledger.genesis.file.model.architecture)
    const sequenceTokens = Math.min(128, contextTokens - 1)
    // Everything it says is in order; only what it offers is not.
    const lineage = lineageOf(
      {
        seed: hexToBytes(seed)!,
        shards: [{ cid: shard!.shard, bytes: shard!.bytes }],
        sequences: 8,
        sequenceTokens,
        bytesEach: sequenceTokens + 1
      },
      1
    )
    await this.submit('delta-reveal', { ...head, delta: cid, salt, sizeBytes: bytes.length, lineage })
    return { round: round.number, delta: cid }
  }

  /** A delta file with all parts. */
  file(poison: Poison, round: number): Uint8Array {
    const { ledger } = this.node
    const parts = createModelParts('genesis', parseArchitecture(ledger.genesis.file.model.architecture))
    const tensors = newestTensors(parts, name => {
      const { tensor } = this.node.listExperts().find(part => part.name === name)!
      return { tensor } as never
    })!
    const frames = parts.all.flatMap(part => {
      const values = new Float32Array(part.length)
      poison(values, part.name)
      return part.layouts.map((layout, tile) => {
        const own = values.subarray(tile * tileElements, tile * tileElements + layout.length)
        const bytes = encodeAnyway(own, layout)
        return {
          part: part.name,
          tile,
          base: tensors.get(part.name)!,
          length: layout.length,
          codec: 'int8' as const,
          bytes,
          decodedDigest: digestOfValues(own.every(Number.isFinite) ? codecNamed('int8').decode(bytes, layout) : own)
        }
      })
    })
    return packDeltaFile(
      {
        network: ledger.genesis.cid,
        model: 'genesis',
        kind: 'delta',
        round,
        baseRound: round,
        codec: 'int8',
        steps: 1,
        tokens: 1024,
        author: this.account
      },
      frames
    )
  }
}

/** Our encoder refuses what is not finite; whoever attacks writes scales that are none. */
function encodeAnyway(values: Float32Array, layout: TileLayout): Uint8Array {
  const codec = codecNamed('int8')
  if (values.every(Number.isFinite)) return codec.encode(values, layout).bytes
  return codec.encode(new Float32Array(values.length).fill(1), layout).bytes.fill(0xff)
}

/** Bytes as the tensor that deltas travel as. */
export async function putBytes(node: BlyanNode, bytes: Uint8Array): Promise<{ cid: string }> {
  const { region } = encodeHeaderRegion({
    name: 'delta',
    dtype: 'int8',
    shape: [bytes.length],
    source: { format: 'tblock' }
  })
  async function* file(): AsyncGenerator<Uint8Array> {
    yield region
    yield bytes
  }
  return node.putTensor({ format: 'tblock', name: 'delta', bytes: file() })
}
