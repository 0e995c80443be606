/** Tensors as programs see them. Plain data: CIDs as text. */

export type TensorView = {
  readonly cid: string
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly sizeBytes: number
  readonly dataOffsetBytes: number
  readonly leaves: number
  readonly tiles: number
  readonly pinned: boolean
  readonly path: string
}

export type TensorPut = {
  readonly cid: string
  readonly kind: 'tensor' | 'bundle'
  readonly dtype: string
  readonly shape: readonly number[]
  readonly sizeBytes: number
  readonly tensors: readonly {
    readonly name: string
    readonly cid: string
    readonly dtype: string
    readonly shape: readonly number[]
    readonly sizeBytes: number
  }[]
}

export type TensorFormat = 'npy' | 'safetensors' | 'tblock'
