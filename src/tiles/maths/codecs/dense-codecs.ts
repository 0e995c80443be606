import { type BlockRule, decodeScaled, encodeScaled, scaledBytes } from '../scaled-blocks.ts'
import type { TileLayout } from '../tile-layout.ts'
import { littleEndian } from '../value-digest.ts'
import { type DeltaCodec, deltaInvalid, type EncodedTile, requireLength } from './codec.ts'

/** Every value as it is: fp32, little-endian. */
export class PlainCodec implements DeltaCodec {
  readonly name = 'fp32'
  readonly id = 0
  readonly usesErrorFeedback = false

  encode(delta: Float32Array, layout: TileLayout): EncodedTile {
    requireLength(delta, layout)
    requireFiniteValues(delta)
    return { bytes: Uint8Array.from(littleEndian(delta)) }
  }

  decode(bytes: Uint8Array, layout: TileLayout): Float32Array {
    if (bytes.length !== this.sizeBytesMax(layout)) throw deltaInvalid(`it has ${bytes.length} bytes`)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const values = new Float32Array(layout.length)
    for (let at = 0; at < values.length; at++) values[at] = view.getFloat32(4 * at, true)
    requireFiniteValues(values)
    return values
  }

  sizeBytesMax({ length }: TileLayout): number {
    return 4 * length
  }
}

/** Every value as a small whole number. */
export class ScaledCodec implements DeltaCodec {
  readonly name
  readonly id
  readonly usesErrorFeedback = false
  readonly #rule: BlockRule

  constructor(identity: Pick<DeltaCodec, 'name' | 'id'>, rule: BlockRule) {
    this.name = identity.name
    this.id = identity.id
    this.#rule = rule
  }

  encode(delta: Float32Array, layout: TileLayout): EncodedTile {
    requireLength(delta, layout)
    return { bytes: encodeScaled(delta, this.#rule) }
  }

  decode(bytes: Uint8Array, { length }: TileLayout): Float32Array {
    return decodeScaled(bytes, length, this.#rule)
  }

  sizeBytesMax({ length }: TileLayout): number {
    return scaledBytes(length, this.#rule)
  }
}

function requireFiniteValues(values: Float32Array): void {
  for (let at = 0; at < values.length; at++) {
    if (!Number.isFinite(values[at])) throw deltaInvalid('a value is not finite')
  }
}
