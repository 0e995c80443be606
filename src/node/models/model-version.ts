import { createHash } from 'node:crypto'
import type { ParamIndex } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { FetchOptions, TensorStore } from '../../tiles/index.ts'
import type { ModelEntry, ModelPart, PartPicks } from '../answers/answer-types.ts'

/** A model with some of its parts in other versions than the newest: old ones, or candidates nobody adopted yet. */
export interface ModelVersions {
  /**
   * The model as it is where nothing is picked. Fetches what is picked, so that what does not fit is refused before
   * anything runs. Throws PART_UNKNOWN_ON_CHAIN, PART_VERSION_UNFIT, CID_INVALID, and as fetchTensor does.
   */
  of(entry: ModelEntry, picks: PartPicks | undefined, options: FetchOptions): Promise<ModelEntry>
}

const digestLetters = 8

export function createModelVersions(needs: {
  readonly tensors: Pick<TensorStore, 'fetchTensor'>
  readonly parts: () => Pick<ParamIndex, 'history'>
}): ModelVersions {
  return new PickedVersions(needs)
}

class PickedVersions implements ModelVersions {
  readonly #needs: Parameters<typeof createModelVersions>[0]

  constructor(needs: Parameters<typeof createModelVersions>[0]) {
    this.#needs = needs
  }

  async of(entry: ModelEntry, picks: PartPicks | undefined, options: FetchOptions): Promise<ModelEntry> {
    const picked = new Map<string, ModelPart>()
    for (const [name, cid] of Object.entries(picks ?? {})) {
      const part = entry.parts.find(one => one.part === name || one.name === name)
      if (part === undefined) throw new BlyanError('PART_UNKNOWN_ON_CHAIN', { name })
      const version = await this.#versionOf(part, cid, options)
      if (version.tensor !== part.tensor) picked.set(part.part, version)
    }
    if (picked.size === 0) return entry
    const parts = entry.parts.map(part => picked.get(part.part) ?? part)
    // The engine keeps models by name: another version is another model to it, and stays beside the newest.
    return { ...entry, name: `${entry.name}~${digestOf(picked)}`, parts }
  }

  async #versionOf(part: ModelPart, cid: string, options: FetchOptions): Promise<ModelPart> {
    const byBlock = this.#needs
      .parts()
      .history(part.name)
      .find(({ block }) => block === cid)
    const tensor = byBlock?.tensor ?? cid
    const info = await this.#needs.tensors.fetchTensor(tensor, options)
    if (info.shape.join() !== part.shape.join()) {
      const reason = `its shape is ${info.shape.join(' x ')} and not ${part.shape.join(' x ')}`
      throw new BlyanError('PART_VERSION_UNFIT', { name: part.name, tensor, reason })
    }
    if (info.dataLengthBytes !== part.lengthBytes) {
      const reason = `it holds ${info.dataLengthBytes} bytes of ${info.dtype} and not ${part.lengthBytes}`
      throw new BlyanError('PART_VERSION_UNFIT', { name: part.name, tensor, reason })
    }
    return { ...part, tensor, block: byBlock?.block ?? part.block, isHere: true }
  }
}

function digestOf(picked: ReadonlyMap<string, ModelPart>): string {
  const lines = [...picked].map(([name, { tensor }]) => `${name} ${tensor}`).sort()
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, digestLetters)
}
