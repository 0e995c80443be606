import type { Committee, Vertex } from '../consensus/index.ts'
import {
  encodeInvalidEvidence,
  eventLimits,
  faultProven,
  faultyPlace,
  type Genesis,
  type InvalidEvidence
} from '../dag/index.ts'
import { isBlyanError } from '../errors/index.ts'

/** Payload of `evidence-invalid` for a vertex that its author signed; undefined when it is right, or too large to prove. */
export function proofOfInvalid(vertex: Vertex, committee: Committee, genesis: Genesis): Uint8Array | undefined {
  const evidence = evidenceOf(vertex, committee, genesis)
  const payload = evidence === undefined ? undefined : encodeInvalidEvidence(evidence)
  return payload === undefined || payload.length > eventLimits.payloadBytesMax ? undefined : payload
}

function evidenceOf(vertex: Vertex, committee: Committee, genesis: Genesis): InvalidEvidence | undefined {
  const header = { bytes: vertex.headerBytes, signature: vertex.signature }
  const byHeader: InvalidEvidence = { kind: 'header', header }
  const refusal = refusalOf(byHeader, committee, genesis)
  if (refusal === undefined) return byHeader
  // Before all of its events are looked at: what does not fit is not brought anyway.
  const sizeBytes = vertex.headerBytes.length + vertex.body.length
  if (refusal !== 'EVIDENCE_NO_FAULT' || sizeBytes > eventLimits.payloadBytesMax) return undefined
  const place = faultyPlace(vertex.header, vertex.body, genesis.digest)
  return place === undefined ? undefined : { kind: 'body', header, body: vertex.body, place }
}

/** Why the evidence would not count; undefined when it does. */
function refusalOf(evidence: InvalidEvidence, committee: Committee, genesis: Genesis): string | undefined {
  const { digest, parameters } = genesis
  try {
    faultProven(evidence, { genesisDigest: digest, committee, parameters, executedDigest: () => undefined })
    return undefined
  } catch (error) {
    if (isBlyanError(error)) return error.code
    throw error
  }
}
