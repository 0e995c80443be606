import { parseGenesis } from './core/genesis.ts'
import { type ProofVerdict, verifyProof as verifyAgainst } from './core/proof.ts'

/** Checks the bytes of a finality proof against the text of a genesis file, offline. Throws GENESIS_INVALID. */
export function verifyProof(proofBytes: Uint8Array, genesisFileText: string): Promise<ProofVerdict> {
  const genesis = parseGenesis(genesisFileText)
  return Promise.resolve(verifyAgainst(proofBytes, genesis))
}
