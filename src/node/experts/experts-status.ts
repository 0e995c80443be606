import type { ExpertCaller, ExpertHolder } from '../../routing/index.ts'
import type { AnswerMeter } from '../answers/answer-meter.ts'
import type { AnswerQueue } from '../answers/answer-queue.ts'
import type { EngineHost } from './engine-host.ts'
import type { ExpertKeeper } from './expert-keeper.ts'
import type { ExpertsStatus } from './experts-status-types.ts'

/** Asks those who know, and the engine, if it runs. */
export async function readExpertsStatus(needs: {
  readonly host: Pick<EngineHost, 'status'>
  readonly meter: Pick<AnswerMeter, 'read'>
  readonly queue: Pick<AnswerQueue, 'running' | 'waiting'>
  readonly keeper: Pick<ExpertKeeper, 'read'>
  readonly caller: Pick<ExpertCaller, 'holders'>
  readonly holder: Pick<ExpertHolder, 'served'>
}): Promise<ExpertsStatus> {
  const { host, meter, queue, keeper, caller, holder } = needs
  const engine = await host.status()
  const models = engine?.models ?? []
  const total = (of: (model: (typeof models)[number]) => number): number =>
    models.reduce((sum, model) => sum + of(model), 0)
  const hits = total(({ cache }) => cache.hits)
  const runs = hits + total(({ cache }) => cache.misses)
  const figures = meter.read()
  return {
    engine: {
      state: engine?.state ?? 'stopped',
      restarts: engine?.restarts ?? 0,
      residentBytes: engine?.residentBytes ?? 0,
      mappedBytes: total(model => model.mappedBytes),
      prepackedBytes: total(model => model.prepackedBytes),
      cacheHitRate: runs === 0 ? null : hits / runs,
      cacheEvictions: total(({ cache }) => cache.evictions)
    },
    answers: {
      running: queue.running,
      waiting: queue.waiting,
      made: figures.answers,
      tokens: figures.tokens,
      firstTokenMs: figures.firstTokenMs,
      predictionRatio: figures.predictionRatio
    },
    calls: {
      made: figures.callsMade,
      failed: figures.callsFailed,
      rowsElsewhere: figures.rowsElsewhere,
      latencyMs: figures.callMs,
      served: holder.served.calls,
      rowsServed: holder.served.rows,
      refused: holder.served.refused
    },
    kept: keeper.read(),
    holders: caller.holders().length
  }
}
