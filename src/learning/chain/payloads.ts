import { z } from 'zod'
import { parseCid } from '../../codec/index.ts'
import { accountText } from '../../ledger/index.ts'
import { chainLimits } from './limits.ts'
import { measurementReasons, refusalReasons } from './types.ts'

/** Text of a CID, in its one form. */
export const cidText = z
  .string()
  .max(128)
  .refine(text => {
    try {
      return parseCid(text).toString() === text
    } catch {
      return false
    }
  }, 'not a CID')
const digestText = z.string().regex(/^[0-9a-f]{64}$/, 'not 32 bytes of hex')
const modelText = z.string().regex(/^[a-z][a-z0-9]{0,31}$/, 'not the name of a model')
const partText = z
  .string()
  .regex(/^[a-z][a-z0-9]*(\.[a-z][a-z0-9]*){0,3}$/, 'not the name of a part')
  .max(64)
const patternText = z.string().regex(/^[a-z0-9.*]{1,64}$/, 'not a part or pattern')
const regionText = z.string().max(chainLimits.regionChars)
const natural = z.int().min(0)
const roundNumber = z.int().min(1)
const nano = z.int().min(-1e15).max(1e15)
const phases = ['training', 'revealing', 'aggregating', 'measuring', 'publishing'] as const

export const joinSchema = z.strictObject({
  model: modelText,
  region: regionText,
  parts: z.array(patternText).min(1).max(chainLimits.patternsOfLearner),
  bytesMax: natural
})

export const leaveSchema = z.strictObject({ model: modelText })

const shard = z.strictObject({ shard: cidText, bytes: z.int().min(1).max(chainLimits.shardBytes) })
const shards = z
  .array(shard)
  .max(chainLimits.shardsOfCorpus)
  .refine(list => isDistinct(list.map(one => one.shard)), 'one shard twice')

export const corpusSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'not the name of a corpus'),
    training: shards,
    heldOut: shards.min(1),
    licence: z.string().min(1).max(64)
  })
  .refine(
    ({ training, heldOut }) => isDistinct([...training, ...heldOut].map(one => one.shard)),
    'one shard both for training and held out'
  )

export const commitSchema = z.strictObject({
  model: modelText,
  round: roundNumber,
  baseRound: roundNumber,
  commitment: digestText,
  tokens: z.int().min(1),
  nonce: natural
})

export const lineageSchema = z.strictObject({
  shards: z
    .array(z.strictObject({ shard: cidText, samples: z.int().min(1) }))
    .min(1)
    .max(chainLimits.shardsOfLineage)
    .refine(list => isDistinct(list.map(one => one.shard)), 'one shard twice'),
  seed: digestText,
  batchesDigest: digestText,
  steps: z.int().min(1),
  tokens: z.int().min(1)
})

export const revealSchema = z.strictObject({
  model: modelText,
  round: roundNumber,
  delta: cidText,
  salt: digestText,
  sizeBytes: z.int().min(1),
  lineage: lineageSchema
})

const accepted = z.array(
  z.strictObject({
    account: accountText,
    delta: cidText,
    weightPpm: z.int().min(1).max(1_000_000),
    gainNano: nano
  })
)
const refused = z.array(z.strictObject({ account: accountText, delta: cidText, reason: z.enum(refusalReasons) }))

function fewDeltas(value: { readonly accepted: readonly unknown[]; readonly refused: readonly unknown[] }): boolean {
  return value.accepted.length + value.refused.length <= chainLimits.deltasOfEvent
}
const tooMany = `more than ${chainLimits.deltasOfEvent} deltas`

export const aggregateSchema = z
  .strictObject({
    model: modelText,
    round: roundNumber,
    update: cidText.nullable(),
    updateBytes: natural,
    parts: z
      .array(z.strictObject({ name: partText, tensor: cidText.nullable() }))
      .min(1)
      .max(chainLimits.partsOfEvent)
      .refine(list => isDistinct(list.map(one => one.name)), 'one part twice'),
    accepted,
    refused,
    edges: z
      .array(z.strictObject({ region: regionText, update: cidText }))
      .max(chainLimits.regionsOfRound)
      .refine(list => isDistinct(list.map(one => one.region)), 'one region twice')
  })
  .refine(fewDeltas, tooMany)
  .refine(
    ({ update, updateBytes }) => (update === null) === (updateBytes === 0),
    'updateBytes: of the update, 0 without one'
  )

export const challengeSchema = z.strictObject({
  model: modelText,
  round: roundNumber,
  parts: z
    .array(z.strictObject({ name: partText, tensor: cidText.nullable() }))
    .min(1)
    .max(chainLimits.partsOfEvent)
    .refine(list => isDistinct(list.map(one => one.name)), 'one part twice')
})

export const edgeSchema = z
  .strictObject({
    model: modelText,
    round: roundNumber,
    region: regionText,
    update: cidText,
    updateBytes: z.int().min(1),
    accepted: accepted.min(1),
    refused
  })
  .refine(fewDeltas, tooMany)

export const proposeSchema = z.strictObject({
  model: modelText,
  parts: z
    .array(z.strictObject({ name: partText, tensor: cidText }))
    .min(1)
    .max(chainLimits.partsOfProposal)
    .refine(list => isDistinct(list.map(one => one.name)), 'one part twice')
    .refine(list => isDistinct(list.map(one => one.tensor)), 'one tensor twice'),
  nonce: natural,
  lineage: lineageSchema
})

export const measureSchema = z.strictObject({
  candidate: z.string().regex(/^[1-9][0-9]{0,14}$/, 'not the number of a candidate'),
  checkpoint: natural,
  sequences: z.int().min(0).max(65_536),
  beforeNano: nano.nullable(),
  afterNano: nano.nullable(),
  gainNano: nano.nullable(),
  errorNano: nano.nullable(),
  verdict: z.enum(['accept', 'refuse']),
  reason: z.enum(measurementReasons)
})

export const advanceSchema = z.strictObject({ model: modelText, round: roundNumber, phase: z.enum(phases) })

function isDistinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length
}
