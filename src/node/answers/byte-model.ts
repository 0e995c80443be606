import type { ParamIndex } from '../../dag/index.ts'
import type { EvaluateResult } from '../blyan-node.ts'
import type { EngineHost } from '../experts/engine-host.ts'
import type { ExpertPlaces } from '../experts/expert-places.ts'
import type { ModelCatalogue } from '../models/model-catalogue.ts'
import { genesisModelName } from '../models/model-catalogue.ts'
import type { ModelVersions } from '../models/model-version.ts'
import type { PartPicks } from './answer-types.ts'

/** The genesis model on bytes: its loss on a text, and texts it continues. All of it is computed here. */
export interface ByteModel {
  evaluate(input: {
    readonly text: Uint8Array
    readonly timeoutMs: number
    readonly parts?: PartPicks | undefined
  }): Promise<EvaluateResult>
  generate(input: ByteRequest): AsyncIterable<Uint8Array>
}

export type ByteRequest = {
  readonly prompt: Uint8Array
  readonly tokensMax: number
  readonly temperature: number
  readonly seed: number
  readonly parts?: PartPicks | undefined
  readonly signal?: AbortSignal
}

const preparationMs = 120_000

export function createByteModel(needs: {
  readonly catalogue: Pick<ModelCatalogue, 'get'>
  readonly versions: ModelVersions
  readonly places: Pick<ExpertPlaces, 'enter'>
  readonly parts: () => ParamIndex
  readonly host: Pick<EngineHost, 'device'>
}): ByteModel {
  const { catalogue, versions, places, parts, host } = needs
  return {
    async evaluate({ text, timeoutMs, parts: picks }) {
      const newest = catalogue.get(genesisModelName)
      const entry = await versions.of(newest, picks, { timeoutMs })
      const place = await places.enter(entry, 'standard', { timeoutMs })
      try {
        const signal = AbortSignal.timeout(timeoutMs)
        const result = await place.engine.evaluate({ model: entry.name, bytes: text, signal })
        const changed = entry.parts.find(part => part.tensor !== parts().history(part.name)[0]?.tensor)
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
      const newest = catalogue.get(genesisModelName)
      const entry = await versions.of(newest, input.parts, { timeoutMs: preparationMs })
      const place = await places.enter(entry, 'standard', { timeoutMs: preparationMs })
      try {
        yield* place.engine.generate({ ...input, model: entry.name, seed: String(input.seed) })
      } finally {
        place.leave()
      }
    }
  }
}
