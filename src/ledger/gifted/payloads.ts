import { z } from 'zod'
import { accountText } from '../book/fields.ts'
import { gifterKinds, specialisationCapacities, specialisations } from './node.ts'

const capacity = z.int().min(0).max(1_000_000_000)
const ppm = z.int().min(0).max(1_000_000)
const bytes = z
  .int()
  .min(0)
  .max(2 ** 50)

/** No number beyond it is worth more; a machine that has more says this. */
const resourcesPayload = z.strictObject({
  cores: z.int().min(1).max(4096),
  megaflops: z.int().min(0).max(1_000_000_000),
  memoryBytes: bytes,
  diskFreeBytes: bytes,
  diskWriteBytesPerSecond: bytes,
  peers: z.int().min(0).max(10_000),
  roundTripMs: z.int().min(0).max(600_000).nullable()
})

const uses = specialisations.map(kind =>
  z.strictObject({
    kind: z.literal(kind),
    ...Object.fromEntries(specialisationCapacities[kind].map(name => [name, capacity.default(0)]))
  })
)

export const registerPayload = z.strictObject({
  name: z.string().max(64).default(''),
  peerId: z.string().regex(/^[1-9A-HJ-NP-Za-km-z]{40,64}$/, 'not a peer id'),
  /** Signature of the node's key, as an operator's is made. */
  peerProof: z.string().regex(/^[0-9a-f]{128}$/, 'not a signature'),
  giftedBy: z.strictObject({ kind: z.enum(gifterKinds), account: accountText }),
  /** Signature of the gifter's account; empty when it is the node's own. */
  consent: z
    .string()
    .regex(/^([0-9a-f]{128})?$/, 'not a signature')
    .default(''),
  specialisation: z.discriminatedUnion('kind', uses as [(typeof uses)[number]]),
  claimed: resourcesPayload,
  measured: resourcesPayload,
  uptimePpm: ppm,
  sharePpm: ppm,
  priority: z.enum(['low', 'normal', 'high']).nullable().default(null)
})

export const heartbeatPayload = z.strictObject({ measured: resourcesPayload })

export const retirePayload = z.strictObject({ account: accountText })
