import { BlyanError } from '../../errors/index.ts'
import type { Frame } from './frame-channel.ts'
import { bytesField, integerField, numberField, textsField } from './frame-fields.ts'
import type { TrainingSettings, TrainingStep } from './training-types.ts'

/** Trainings as frames carry them. All readers throw ENGINE_REQUEST_INVALID. */

export function settingsToFrame(settings: TrainingSettings): Frame {
  const { sequences, sequenceTokens, learningRate, warmUpSteps, weightDecay, clipNorm, balance, zLoss } = settings
  const { sequencesPerRun, coolDown } = settings
  const always = { sequences, sequenceTokens, learningRate, warmUpSteps, weightDecay, clipNorm, balance, zLoss }
  const frame: Frame = {
    ...always,
    ...(sequencesPerRun === undefined ? {} : { sequencesPerRun }),
    ...(coolDown === undefined ? {} : { coolFromStep: coolDown.fromStep, coolToStep: coolDown.toStep })
  }
  // Frames carry no NaN; who asks for one is to hear of it as of anything else that makes no sense.
  settingsFromFrame(frame)
  return frame
}

export function settingsFromFrame(frame: Frame): TrainingSettings {
  const atLeast = (name: string, least: number): number => {
    const value = numberField(frame, name)
    return value >= least && Number.isFinite(value) ? value : refuse(`"${name}" is ${value} and not ${least} or more`)
  }
  const count = (name: string, least: number): number => {
    const value = atLeast(name, least)
    return Number.isSafeInteger(value) ? value : refuse(`"${name}" is no whole number`)
  }
  const coolFromStep = frame.coolToStep === undefined ? undefined : count('coolFromStep', 0)
  return {
    sequences: count('sequences', 1),
    sequenceTokens: count('sequenceTokens', 1),
    learningRate: atLeast('learningRate', 0),
    warmUpSteps: count('warmUpSteps', 0),
    weightDecay: atLeast('weightDecay', 0),
    clipNorm: atLeast('clipNorm', 0),
    balance: atLeast('balance', 0),
    zLoss: atLeast('zLoss', 0),
    ...(frame.sequencesPerRun === undefined ? {} : { sequencesPerRun: count('sequencesPerRun', 1) }),
    ...(coolFromStep === undefined
      ? {}
      : { coolDown: { fromStep: coolFromStep, toStep: count('coolToStep', coolFromStep + 1) } })
  }
}

/** A list of short names, or one of two words. */
export function trainedFromFrame(frame: Frame): readonly string[] | 'all' | 'none' {
  return frame.trained === 'all' || frame.trained === 'none' ? frame.trained : textsField(frame, 'trained')
}

export function stepFromFrame(frame: Frame): TrainingStep {
  return {
    step: integerField(frame, 'step'),
    lossNats: numberField(frame, 'lossNats'),
    tokens: integerField(frame, 'tokens'),
    gradientNorm: numberField(frame, 'gradientNorm'),
    elapsedMs: numberField(frame, 'elapsedMs'),
    runtimeMs: numberField(frame, 'runtimeMs'),
    waitedMs: numberField(frame, 'waitedMs')
  }
}

export function doubleBytes(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

export function doublesField(frame: Frame, name: string): Float64Array {
  const bytes = bytesField(frame, name)
  if (bytes.length % 8 !== 0) refuse(`"${name}" is not fp64 values`)
  // Small ones come as views of the whole message, at any place.
  return new Float64Array(Uint8Array.from(bytes).buffer)
}

function refuse(reason: string): never {
  throw new BlyanError('ENGINE_REQUEST_INVALID', { reason })
}
