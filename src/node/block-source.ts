import { bytesToHex, type CID, digestOfCid } from '../codec/index.ts'
import type { Chains } from '../dag/index.ts'
import type { BlockSource } from '../storage/index.ts'

const signatureBytes = 64

/** Blocks of the chains and event envelopes, as IPFS objects: served from the database, stored nowhere else. */
export function chainBlockSource(chains: Chains): BlockSource {
  const get = async (cid: CID): Promise<Uint8Array | undefined> => {
    if (cid.code !== 0x71) return undefined
    const block = await chains.blockBytes(digestOfCid(cid))
    if (block !== undefined) return block
    const found = await chains.event(bytesToHex(digestOfCid(cid)))
    return found?.event.bytes.subarray(signatureBytes)
  }
  return { get, has: async cid => (await get(cid)) !== undefined }
}
