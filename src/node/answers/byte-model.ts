import type { ParamIndex } from '../../dag/index.ts'
import type { EvaluateResult } from '../blyan-node.ts'
import type { EngineHost } from '../experts/engine-host.ts'
import type { ExpertPlaces } from '../experts/expert-places.ts'
import type { ModelCatalogue } from '../models/model-catalogue.ts'
import { genesisModelName } from '../models/model-catalogue.ts'

/** The genesis model on bytes: its loss on a text, and texts it continues. All of it is computed here. */
export interface ByteModel {
  evaluate(input: { readonly text: Uint8Array; readonly timeoutMs: number }): Promise<EvaluateResult>
  generate(input: ByteRequest): AsyncIterable<Uint8Array>
}

export type ByteRequest = {
  readonly prompt: Uint8Array
  readonly tokensMax: number
  readonly temperature: number
  readonly seed: number
  readonly signal?: AbortSignal
}

const preparationMs = 120_000

export function createByteModel(needs: {
  readonly catalogue: Pick<ModelCatalogue, 'get'>
  readonly places: Pick<ExpertPlaces, 'enter'>
  readonly parts: () => ParamIndex
  readonly host: Pick<EngineHost, 'device'>
}): ByteModel {
  const { catalogue, places, parts, host } = needs
  return {
    async evaluate({ text, timeoutMs }) {
      const entry = catalogue.get(genesisModelName)
      const place = await places.enter(entry, 'standard', { timeoutMs })
      try {
        const signal = AbortSignal.timeout(timeoutMs)
        const result = await place.engine.evaluate({ model: entry.name, bytes: text, signal })
        const changed = entry.parts.find(part => parts().history(part.name).length > 1)
        return {
          lossNatsPerByte: result.lossNatsPerByte,
          bytes: result.scoredBytes,
          elapsedMs: result.elapsedMs,
          device: host.device.provider,
          replaced: changed === undefined ? null : { name: changed.name, tensor: changed.tensor }
        }
      } finally {
        place.leave()
      }
    },
    async *generate(input) {
      const entry = catalogue.get(genesisModelName)
      const place = await places.enter(entry, 'standard', { timeoutMs: preparationMs })
      try {
        yield* place.engine.generate({ ...input, model: entry.name, seed: String(input.seed) })
      } finally {
        place.leave()
      }
    }
  }
}
