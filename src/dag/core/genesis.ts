import { z } from 'zod'
import {
  bytesToHex,
  type CanonicalValue,
  cidOfDigest,
  encodeCanonical,
  parseCid,
  publicKeyFromText,
  sha256
} from '../../codec/index.ts'
import {
  type Committee,
  type ConsensusParameters,
  type DegradedMode,
  defaultParameters
} from '../../consensus/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { type Block, makeBlock } from './block.ts'
import { committeeOfSet, mayDegrade } from './validator-set.ts'

const cidText = z.string().refine(text => {
  try {
    parseCid(text)
    return true
  } catch {
    return false
  }
}, 'not a CID')
const publicKeyText = z.string().refine(text => {
  try {
    publicKeyFromText(text)
    return true
  } catch {
    return false
  }
}, 'not a public key')
const amountText = z.string().regex(/^(0|[1-9][0-9]{0,38})$/)
const jsonValue: z.ZodType<CanonicalValue> = z.lazy(() =>
  z.union([z.null(), z.boolean(), z.int(), z.string(), z.array(jsonValue), z.record(z.string(), jsonValue)])
)

const genesisSchema = z.strictObject({
  schema: z.literal('blyan.genesis/1'),
  network: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/),
  createdAt: z.iso.datetime(),
  /** SHA-256 of genesis/pact.md, hex. */
  pact: z.string().regex(/^[0-9a-f]{64}$/),
  validators: z
    .array(
      z.strictObject({
        name: z.string().max(64),
        publicKey: publicKeyText,
        peerId: z.string().max(128),
        origin: z.string().max(64),
        region: z.string().max(64),
        weight: z.int().min(1).max(1_000_000)
      })
    )
    .min(1)
    .max(256),
  accounts: z.array(z.strictObject({ account: publicKeyText, balance: amountText, stake: amountText })).max(100_000),
  consensus: z.strictObject({
    heartbeatMs: z.int().min(100),
    roundTimeoutMs: z.int().min(10),
    gcDepthRounds: z.int().min(8).max(10_000),
    eventsPerVertexMax: z.int().min(1).max(16_384),
    bodyBytesMax: z
      .int()
      .min(128 * 1024)
      .max(1024 * 1024),
    checkpointCommitsMax: z.int().min(1).max(128),
    checkpointIntervalMs: z.int().min(0),
    // Left out rather than filled in when absent: the digest is over the file as it was written.
    epochMs: z.int().min(0).optional(),
    degraded: z.enum(['none', 'crash']).optional()
  }),
  model: z.strictObject({
    architecture: jsonValue,
    parts: z
      .array(
        z.strictObject({
          name: z.string().max(64),
          blockType: z.string().max(32),
          layer: z.int().nullable(),
          tensor: cidText,
          shape: z.array(z.int().min(1)).max(8)
        })
      )
      .max(4096)
  })
})

/** The file that defines a network: everything in it is part of its CID. */
export type GenesisFile = z.infer<typeof genesisSchema>

export type Genesis = {
  readonly file: GenesisFile
  readonly cid: string
  readonly digest: Uint8Array
  readonly digestHex: string
  readonly timeMs: number
  /** The set of epoch 0. */
  readonly committee: Committee
  /** What a network of three does when one is gone. */
  readonly degraded: DegradedMode
  readonly parameters: ConsensusParameters
  /** Block 0 of chain A and the first blocks of chain B. */
  readonly blocks: readonly Block[]
}

/** Reads a genesis file. Throws GENESIS_INVALID naming the field. */
export function parseGenesis(text: string): Genesis {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new BlyanError('GENESIS_INVALID', { reason: 'not JSON' }, { cause: error })
  }
  const parsed = genesisSchema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!
    throw new BlyanError('GENESIS_INVALID', { reason: `${issue.path.join('.') || 'file'}: ${issue.message}` })
  }
  return genesisOf(parsed.data)
}

export function genesisOf(file: GenesisFile): Genesis {
  const digest = sha256(encodeCanonical(file as unknown as CanonicalValue))
  requireDistinct(
    'validators: one key twice',
    file.validators.map(validator => validator.publicKey)
  )
  requireDistinct(
    'validators: one peer id twice',
    file.validators.map(validator => validator.peerId)
  )
  requireDistinct(
    'accounts: one account twice',
    file.accounts.map(account => account.account)
  )
  requireDistinct(
    'model.parts: one name twice',
    file.model.parts.map(part => part.name)
  )
  const validators = file.validators.map(({ publicKey, ...rest }) => ({
    ...rest,
    publicKey: publicKeyFromText(publicKey)
  }))
  const { degraded = 'none', epochMs = defaultParameters.epochMs, ...limits } = file.consensus
  if (degraded === 'crash' && !mayDegrade(validators))
    throw new BlyanError('GENESIS_INVALID', {
      reason: 'consensus.degraded: "crash" is for exactly three validators of one weight'
    })
  return {
    file,
    cid: cidOfDigest(digest).toString(),
    digest,
    digestHex: bytesToHex(digest),
    timeMs: Date.parse(file.createdAt),
    committee: committeeOfSet({ epoch: 0, baseRound: 0, members: validators }, degraded),
    degraded,
    parameters: Object.freeze({ ...defaultParameters, ...limits, epochMs }),
    blocks: genesisBlocks(file)
  }
}

function requireDistinct(reason: string, names: readonly string[]): void {
  if (new Set(names).size !== names.length) throw new BlyanError('GENESIS_INVALID', { reason })
}

function genesisBlocks(file: GenesisFile): Block[] {
  const none = { nonce: 0, miner_pub: new Uint8Array(0), payload_sig: new Uint8Array(0), event: null }
  const architecture = sha256(encodeCanonical(file.model.architecture))
  const meta = makeBlock({
    ...none,
    index: 0,
    chain_id: 'A',
    depends_on: [],
    block_type: 'meta',
    expert_name: null,
    layer_id: null,
    payload_hash: architecture,
    tensor: null
  })
  const parts = file.model.parts.map((part, index) => {
    const tensor = parseCid(part.tensor)
    return makeBlock({
      ...none,
      index,
      chain_id: 'B',
      depends_on: [meta.cid],
      block_type: part.blockType,
      expert_name: part.name,
      layer_id: part.layer,
      payload_hash: tensor.multihash.digest,
      tensor
    })
  })
  return [meta, ...parts]
}
