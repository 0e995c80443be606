import { z } from 'zod'
import { BlyanError } from '../errors/index.ts'
import { partPicksMax } from '../node/index.ts'

/** Shapes that several routes take, each with its limit. */
const waitMsMax = 600_000

export const identifier = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[A-Za-z0-9]+$/, 'letters and digits')

export const flag = (byDefault: 'true' | 'false') =>
  z
    .enum(['true', 'false'])
    .default(byDefault)
    .transform(text => text === 'true')

export const timeoutMs = (defaultMs: number) => z.coerce.number().int().min(1).max(waitMsMax).default(defaultMs)

export const page = z.strictObject({
  from: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe('first position'),
  limit: z.coerce.number().int().min(1).max(1_000_000).default(100).describe('most items')
})

export const base64 = z.strictObject({ base64: z.base64().max(2 << 20) })

export function bytesOfBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'))
}

/** For many at once, where looking at each letter would take longer than decoding. Throws REQUEST_INVALID. */
export function strictBytesOfBase64(text: string): Uint8Array {
  const bytes = bytesOfBase64(text)
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  // Letters that are none are passed over in decoding, and missing then.
  if (text.length % 4 !== 0 || bytes.length !== (text.length / 4) * 3 - padding)
    throw new BlyanError('REQUEST_INVALID', { reason: 'body.signedEvents: not base64' })
  return bytes
}

export const partName = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[\w.:-]+$/, 'letters, digits, ". _ : -"')

/** Versions of parts by name, each the CID of a tensor or of a block. */
export const partPicks = z
  .record(partName, identifier)
  .refine(picks => Object.keys(picks).length <= partPicksMax, `more than ${partPicksMax} parts`)

/** The same in an address: `layer0.expert3=CID,layer0.router=CID`. */
export const partPicksText = z
  .string()
  .max(16_384)
  .transform(text => Object.fromEntries(text.split(',').map(pick => pick.split('=', 2))))
  .pipe(partPicks)

/** Text as UTF-8, or exact bytes. */
export const textOrBytes = z.union([z.string().max(1 << 20), base64])

export function bytesOf(value: z.infer<typeof textOrBytes>): Uint8Array {
  return typeof value === 'string' ? new TextEncoder().encode(value) : bytesOfBase64(value.base64)
}
