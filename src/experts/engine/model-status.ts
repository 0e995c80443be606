import type { CanonicalValue } from '../../codec/index.ts'
import type { ExpertUse, ModelStatus } from './engine-types.ts'
import type { Frame } from './frame-channel.ts'
import { asMap, integerField, listField, mapField, textField } from './frame-fields.ts'

/** Status of a model as it crosses the channel; all numbers are integers. */
export function modelStatusToFrame(status: ModelStatus): Frame {
  return { ...status, experts: status.experts.map(use => ({ ...use })) }
}

export function modelStatusFromFrame(value: CanonicalValue): ModelStatus {
  const frame = asMap(value, 'model')
  const cache = mapField(frame, 'cache')
  const sessions = mapField(frame, 'sessions')
  const answers = mapField(frame, 'answers')
  return {
    model: textField(frame, 'model'),
    parts: integerField(frame, 'parts'),
    mappedBytes: integerField(frame, 'mappedBytes'),
    prepackedBytes: integerField(frame, 'prepackedBytes'),
    memoryBytesMax: integerField(frame, 'memoryBytesMax'),
    cache: {
      hits: integerField(cache, 'hits'),
      misses: integerField(cache, 'misses'),
      evictions: integerField(cache, 'evictions')
    },
    sessions: { mapped: integerField(sessions, 'mapped'), prepacked: integerField(sessions, 'prepacked') },
    experts: listField(frame, 'experts').map(expertUse),
    answers: {
      running: integerField(answers, 'running'),
      waiting: integerField(answers, 'waiting'),
      keyValueBytes: integerField(answers, 'keyValueBytes')
    },
    expertRowsWaiting: integerField(frame, 'expertRowsWaiting')
  }
}

function expertUse(value: CanonicalValue): ExpertUse {
  const use = asMap(value, 'expert')
  return {
    name: textField(use, 'name'),
    calls: integerField(use, 'calls'),
    rows: integerField(use, 'rows'),
    rowsElsewhere: integerField(use, 'rowsElsewhere')
  }
}
