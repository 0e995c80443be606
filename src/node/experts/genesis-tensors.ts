import type { Genesis } from '../../dag/index.ts'
import { genesisParts, littleEndianBytes, parseArchitecture } from '../../experts/index.ts'
import type { TensorStore } from '../../tiles/index.ts'

/** The tensors of the genesis model: drawn from its seed on every machine, so that nobody has to send them. */
export interface GenesisTensors {
  /** Draws those that are not here. Asked again, it does nothing. */
  ensure(): Promise<void>
  /** After one was found damaged and removed. */
  forget(): void
  stop(): void
}

export function createGenesisTensors(needs: {
  readonly genesis: Genesis
  readonly tensors: Pick<TensorStore, 'info' | 'putTensor' | 'pin'>
}): GenesisTensors {
  return new DrawnTensors(needs.genesis, needs.tensors)
}

class DrawnTensors implements GenesisTensors {
  readonly #genesis: Genesis
  readonly #tensors: Pick<TensorStore, 'info' | 'putTensor' | 'pin'>
  #drawing: Promise<void> | undefined
  #isStopped = false

  constructor(genesis: Genesis, tensors: Pick<TensorStore, 'info' | 'putTensor' | 'pin'>) {
    this.#genesis = genesis
    this.#tensors = tensors
  }

  ensure(): Promise<void> {
    this.#drawing ??= this.#draw().catch(error => {
      this.#drawing = undefined
      throw error
    })
    return this.#drawing
  }

  forget(): void {
    this.#drawing = undefined
  }

  stop(): void {
    this.#isStopped = true
  }

  async #draw(): Promise<void> {
    const { model } = this.#genesis.file
    const wanted = new Map(model.parts.map(part => [part.name, part.tensor]))
    if ([...wanted.values()].every(cid => this.#tensors.info(cid) !== undefined)) return
    for (const part of genesisParts(parseArchitecture(model.architecture))) {
      if (this.#isStopped) return
      const cid = wanted.get(part.name)
      if (cid === undefined || this.#tensors.info(cid) !== undefined) continue
      const made = await this.#tensors.putTensor({
        name: part.name,
        dtype: 'fp32',
        shape: part.shape,
        data: littleEndianBytes(part.data)
      })
      await this.#tensors.pin(made.cid)
    }
  }
}
