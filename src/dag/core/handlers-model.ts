import { z } from 'zod'
import {
  bytesEqual,
  type CanonicalValue,
  CID,
  decodeCanonical,
  encodeCanonical,
  parseCid,
  publicKeyToText,
  sha256
} from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { dependenciesMax } from './block.ts'
import { eventLimits } from './event.ts'
import { type ApplyInput, type BlockDraft, type EventHandler, plainBlock } from './handlers.ts'
import type { StateView } from './state.ts'

const partName = z
  .string()
  .regex(/^[a-z][a-z0-9]*(\.[a-z][a-z0-9]*){0,3}$/)
  .max(64)
const cidText = z.string().transform((text, context) => {
  try {
    return parseCid(text)
  } catch {
    context.addIssue('not a CID')
    return z.NEVER
  }
})

const partJson = z.strictObject({
  name: partName,
  layer: z.int().min(0).nullable().default(null),
  tensor: cidText,
  shape: z.array(z.int().min(1)).min(1).max(8),
  parent: cidText.nullable().default(null),
  dependsOn: z
    .array(cidText)
    .max(dependenciesMax - 2)
    .default([]),
  nonce: z.int().min(0).default(0)
})

/** With how a version is made of the one before it: both or none. */
const updatedPartJson = partJson
  .extend({ update: cidText.optional(), updateBytes: z.int().min(1).optional() })
  .refine(
    ({ update, updateBytes }) => (update === undefined) === (updateBytes === undefined),
    'update and updateBytes: both or none'
  )
  .refine(
    ({ update, parent }) => update === undefined || parent !== null,
    'update: only with the parent that it changes'
  )
type PartPayload = z.output<typeof updatedPartJson>

/** A version that somebody wants to publish, sound in itself. */
export type PartVersionAsked = {
  readonly name: string
  readonly tensor: CID
  readonly shape: readonly number[]
  /** What turns the tensor of the version before into this one; null for one that is published whole. */
  readonly update: { readonly cid: CID; readonly sizeBytes: number } | null
  /** Whether the part has no version yet. */
  readonly isFirst: boolean
}

/** What a network asks of versions of parts, and remembers of them, beyond what any network does. */
export interface PartRules {
  /** Whether it asks at all now. */
  isOn(state: StateView): boolean
  /** Throws when the version may not follow; `requireStake` throws when its author has none. */
  admit(input: ApplyInput, asked: PartVersionAsked, requireStake: () => void): void
  /** Told of what is published while it does not ask. */
  noteUnasked(state: StateView, asked: PartVersionAsked): void
}

const registerJson = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9]{0,31}$/),
  architecture: z.record(z.string(), z.unknown()),
  tokenizer: cidText.nullable().default(null),
  parts: z.int().min(1).max(1_048_576)
})
type RegisterPayload = z.output<typeof registerJson>

/** First segments of the names of genesis parts, and what people call that model. */
const reservedModelName = /^(?:genesis|embedding|output|layer\d+)$/
const architectureBytesMax = 4096

export function isReservedModelName(name: string): boolean {
  return reservedModelName.test(name)
}

/** `model/<name>` in the state. The executor writes `block` when it has made it. */
type RegisteredModel = {
  readonly author: string
  readonly architecture: CanonicalValue
  readonly tokenizer: CID | null
  readonly parts: number
  /** Height of chain B then: a part of that name from before is not this model's. */
  readonly partsFrom: number
  readonly block: CID
}

const datasetJson = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
  data: cidText,
  sizeBytes: z.int().min(1),
  licence: z.string().min(1).max(64)
})
type DatasetPayload = z.output<typeof datasetJson>

/** `note`: any bytes; how a newcomer tries the network. Makes no block. */
export const noteHandler: EventHandler = {
  type: 'note',
  purpose: 'any bytes up to 64 KiB, from any account',
  encodePayload: json => {
    if (typeof json !== 'string') throw invalid('note', 'give text')
    const bytes = new TextEncoder().encode(json)
    if (bytes.length > eventLimits.payloadBytesMax)
      throw new BlyanError('EVENT_PAYLOAD_TOO_LARGE', {
        sizeBytes: bytes.length,
        limitBytes: eventLimits.payloadBytesMax
      })
    return bytes
  },
  describePayload: payload => new TextDecoder().decode(payload),
  apply: () => undefined
}

/** `model`: the architecture and routing rules, on chain A. */
export const modelHandler: EventHandler = {
  type: 'model',
  purpose: 'architecture and routing rules, on chain A',
  encodePayload: json => {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid('model', 'give an object')
    try {
      return encodeCanonical(json as CanonicalValue)
    } catch (error) {
      throw invalid('model', error instanceof Error ? error.message : 'not canonical')
    }
  },
  describePayload: payload => read('model', payload),
  apply: input => {
    requireStake(input)
    read('model', input.envelope.payload)
    return plainBlock('A', 'meta', sha256(input.envelope.payload))
  }
}

/** `model-register`: a model of its author's under a new name, on chain A; its parts follow as events of their own. */
export const modelRegisterHandler: EventHandler = {
  type: 'model-register',
  purpose: 'a new model under its name: architecture, tokenizer and number of parts, on chain A',
  encodePayload: json => encodeChecked('model-register', registerJson, json),
  describePayload: payload => describe(read('model-register', payload)),
  apply: input => {
    requireStake(input)
    const { envelope, state } = input
    const { name, ...rest } = payloadOf('model-register', registerJson, envelope.payload) as RegisterPayload
    if (isReservedModelName(name)) throw new BlyanError('MODEL_NAME_RESERVED', { name })
    if (state.get(`model/${name}`) !== undefined) throw new BlyanError('MODEL_NAME_TAKEN', { name })
    const architecture = rest.architecture as CanonicalValue
    const sizeBytes = encodeCanonical(architecture).length
    if (sizeBytes > architectureBytesMax)
      throw invalid('model-register', `architecture: ${sizeBytes} bytes, more than ${architectureBytesMax}`)
    const { height } = (state.get('chain/B') as { height: number } | undefined) ?? { height: 0 }
    const author = publicKeyToText(envelope.author)
    state.set(`model/${name}`, { author, ...rest, architecture, partsFrom: height, block: null })
    return { ...plainBlock('A', 'model', sha256(envelope.payload)), name }
  }
}

/** One handler per kind of part of the model; each version is a block on chain B. */
export function partHandler(type: 'expert' | 'router' | 'attention' | 'embedding', rules?: PartRules): EventHandler {
  return {
    type,
    purpose: `a new version of one ${type}, on chain B`,
    encodePayload: json => encodeChecked(type, rules === undefined ? partJson : updatedPartJson, json),
    describePayload: payload => describe(read(type, payload)),
    apply: input => {
      const isAsked = rules?.isOn(input.state) === true
      if (!isAsked) requireStake(input)
      const schema = isAsked ? updatedPartJson : partJson
      const payload = payloadOf(type, schema, input.envelope.payload) as PartPayload
      const { draft, isFirst } = applyPart(type, payload, input)
      if (rules === undefined) return draft
      const asked = askedOf(payload, isFirst)
      if (isAsked) rules.admit(input, asked, () => requireStake(input))
      else rules.noteUnasked(input.state, asked)
      return draft
    }
  }
}

function askedOf(payload: PartPayload, isFirst: boolean): PartVersionAsked {
  const { name, tensor, shape, update, updateBytes } = payload
  return {
    name,
    tensor,
    shape,
    isFirst,
    update: update === undefined ? null : { cid: update, sizeBytes: updateBytes! }
  }
}

/** `dataset`: names data that may be trained on, on chain D. */
export const datasetHandler: EventHandler = {
  type: 'dataset',
  purpose: 'a dataset by its CID, on chain D',
  encodePayload: json => encodeChecked('dataset', datasetJson, json),
  describePayload: payload => describe(read('dataset', payload)),
  apply: input => {
    const payload = payloadOf('dataset', datasetJson, input.envelope.payload) as DatasetPayload
    return {
      ...plainBlock('D', 'dataset', sha256(input.envelope.payload)),
      name: payload.name,
      tensor: payload.data
    }
  }
}

type Part = { readonly block: CID; readonly shape: number[]; readonly type: string }

/** The block of a version that fits the chain. */
function applyPart(
  type: string,
  payload: PartPayload,
  { envelope, state }: ApplyInput
): { readonly draft: BlockDraft; readonly isFirst: boolean } {
  const model = modelOf(payload.name, state)
  const part = partOf(payload.name, state, model)
  if (model !== undefined && part === undefined && model.author !== publicKeyToText(envelope.author))
    throw new BlyanError('MODEL_PART_FOREIGN', { name: payload.name })
  if (part !== undefined) {
    if (part.type !== type) throw invalid(type, `${payload.name} is a part of type ${part.type}`)
    if (part.shape.join() !== payload.shape.join()) {
      throw new BlyanError('PART_SHAPE_WRONG', {
        name: payload.name,
        expected: part.shape.join(' x '),
        shape: payload.shape.join(' x ')
      })
    }
  }
  const newest = part === undefined ? null : part.block.toString()
  if (payload.parent !== null && payload.parent.toString() !== newest) {
    throw new BlyanError('PART_PARENT_UNKNOWN', {
      parent: payload.parent.toString(),
      name: payload.name,
      newest: newest ?? 'none'
    })
  }
  for (const dependency of payload.dependsOn) {
    const isModel = model?.block.equals(dependency) === true
    if (!isModel && state.get(`block/${dependency.toString()}`) === undefined)
      throw new BlyanError('CHAIN_DEPENDENCY_UNKNOWN', { block: payload.name, dependency: dependency.toString() })
  }
  const draft: BlockDraft = {
    chain: 'B',
    blockType: type,
    name: payload.name,
    layer: payload.layer,
    payloadHash: payload.tensor.multihash.digest,
    tensor: payload.tensor,
    nonce: payload.nonce,
    dependsOn: [...(part === undefined ? [] : [part.block]), ...payload.dependsOn],
    shape: payload.shape
  }
  return { draft, isFirst: part === undefined }
}

function modelOf(partName: string, state: ApplyInput['state']): RegisteredModel | undefined {
  const [first, ...rest] = partName.split('.')
  if (rest.length === 0) return undefined
  return state.get(`model/${first}`) as RegisteredModel | undefined
}

/** Parts that somebody put under the name of a model before it was registered do not count: its author begins anew. */
function partOf(name: string, state: ApplyInput['state'], model: RegisteredModel | undefined): Part | undefined {
  const part = state.get(`part/${name}`) as Part | undefined
  if (part === undefined || model === undefined) return part
  return Number(state.get(`block/${part.block.toString()}`)) < model.partsFrom ? undefined : part
}

function requireStake({ envelope, state }: ApplyInput): void {
  const stake = state.get(`stake/${publicKeyToText(envelope.author)}`)
  if (typeof stake !== 'string' || BigInt(stake) <= 0n)
    throw new BlyanError('EVENT_NOT_AUTHORISED', { type: envelope.type, reason: 'it has no stake' })
}

/** JSON has no links: CIDs are text there and links in the payload. */
function encodeChecked(type: string, schema: z.ZodType, json: unknown): Uint8Array {
  const value = checked(type, schema, json)
  return encodeCanonical(value as CanonicalValue)
}

/** The one payload that this meaning has: CIDs are links, nothing is left to a default, numbers are integers. */
function payloadOf(type: string, schema: z.ZodType, payload: Uint8Array): unknown {
  const value = checked(type, schema, read(type, payload))
  if (!bytesEqual(encodeCanonical(value as CanonicalValue), payload))
    throw invalid(type, 'not the canonical payload of its meaning')
  return value
}

function checked(type: string, schema: z.ZodType, json: unknown): unknown {
  const parsed = schema.safeParse(linksToText(json))
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]!
  throw invalid(type, `${issue.path.join('.') || 'payload'}: ${issue.message}`)
}

function linksToText(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  const link = CID.asCID(value)
  if (link !== null) return link.toString()
  if (Array.isArray(value)) return value.map(linksToText)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, linksToText(inner)]))
}

function read(type: string, payload: Uint8Array): unknown {
  try {
    return decodeCanonical(payload, { sizeBytesMax: eventLimits.payloadBytesMax })
  } catch (error) {
    throw invalid(type, error instanceof BlyanError ? error.message : 'not DAG-CBOR')
  }
}

function describe(value: unknown): unknown {
  return linksToText(value)
}

function invalid(type: string, reason: string): BlyanError {
  return new BlyanError('EVENT_PAYLOAD_INVALID', { type, reason })
}
