import { type CanonicalValue, cidOfObject, encodeCanonical, generateSigningKey, sha256 } from '../../src/codec/index.ts'
import { decodeBlock, topologicalOrder } from '../../src/dag/index.ts'
import { hashMs } from '../limits.ts'
import { type Options, type Result, rate } from '../report.ts'

const blockCount = 2000

/** Blocks as they come, each checked on its own: canonical header, hash, dependencies known. */
export function measureBlocks({ quick, note }: Options): Result {
  note(`${blockCount} blocks verified one after the other`)
  const blocks = chainOfBlocks()
  const rates: number[] = []
  const limits: number[] = []
  for (let run = 0; run < (quick ? 5 : 15); run++) {
    limits.push((blockCount * 1000) / hashMs(blocks.map(({ bytes }) => bytes)))
    const startedAtMs = performance.now()
    const graph = new Map<string, string[]>()
    for (const { bytes, cid } of blocks) {
      const block = decodeBlock(bytes)
      const dependencies = block.header.depends_on.map(String)
      if (block.cid.toString() !== cid || !dependencies.every(one => graph.has(one)))
        throw new Error('a right block was refused')
      graph.set(cid, dependencies)
    }
    topologicalOrder(graph)
    rates.push((blockCount * 1000) / (performance.now() - startedAtMs))
  }
  return rate('quorum.verifyBlocks', 'blocks/s', rates, limits, 'SHA-256 of the same bytes, one core')
}

/** Versions of one expert, each building on the one before. */
function chainOfBlocks(): { bytes: Uint8Array; cid: string }[] {
  const key = generateSigningKey()
  const blocks: { bytes: Uint8Array; cid: string }[] = []
  const meta = cidOfObject(encodeCanonical('meta'))
  let parent = meta
  for (let index = 0; index < blockCount; index++) {
    const tensor = cidOfObject(encodeCanonical(index))
    const bytes = encodeCanonical({
      index,
      chain_id: 'B',
      depends_on: index === 0 ? [] : [parent],
      block_type: 'expert',
      expert_name: 'layer0.expert0',
      layer_id: 0,
      payload_hash: sha256(tensor.bytes),
      nonce: 0,
      miner_pub: key.publicKey,
      payload_sig: key.sign(tensor.bytes),
      tensor,
      event: cidOfObject(encodeCanonical(`event ${index}`))
    } satisfies CanonicalValue)
    parent = cidOfObject(bytes)
    blocks.push({ bytes, cid: parent.toString() })
  }
  return blocks
}
