import type { ErrorEntry } from './error-entry.ts'

/** Failures of the training engine. */
export const trainingErrors = {
  TRAINING_UNSUPPORTED: {
    message: 'this model cannot be trained here: {reason}',
    nextStep: 'train a model whose parts are stored in fp32, such as the one of the network',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  TRAINING_PART_UNKNOWN: {
    message: 'the model has no part "{part}" to train',
    nextStep: 'name parts as "blyan-node expert list" shows them, such as layer0.expert3',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  TRAINING_TOO_LARGE: {
    message: 'training would need {neededBytes} bytes of memory and may take {bytesMax}',
    nextStep: 'train fewer parts or with fewer sequences at once, or on a machine with more memory',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  TRAINING_CHECKPOINT_INVALID: {
    message: 'the checkpoint {path} cannot be used: {reason}',
    nextStep: 'remove the file and train again from the newest version of the model',
    fault: 'machine',
    retry: false,
    httpStatus: 409
  },
  TRAINING_NOT_FINITE: {
    message: 'step {step} of the training has no finite {what}; it was left out',
    nextStep: 'train with a smaller learning rate, from the newest version of the model',
    fault: 'us',
    retry: false
  },
  TRAINING_NOT_OPEN: {
    message: 'training {training} was closed or never opened',
    nextStep: 'open the training again, from its checkpoint where there is one',
    fault: 'us',
    retry: true
  }
} as const satisfies Record<string, ErrorEntry>
