import type { ErrorEntry } from './error-entry.ts'

/** Failures of importing models. */
export const modelsErrors = {
  MODEL_NAME_RESERVED: {
    message: '"{name}" names something of the genesis model',
    nextStep: 'give the model another name with --name',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  MODEL_NAME_TAKEN: {
    message: 'this network has a model called "{name}" already',
    nextStep: 'give the model another name with --name',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  MODEL_PART_FOREIGN: {
    message: '"{name}" is a part of a model that somebody else registered, and it has no version yet',
    nextStep: "wait until the model's author has added it; later versions may come from anybody with stake",
    fault: 'user',
    retry: false,
    httpStatus: 403
  },
  CHECKPOINT_UNREADABLE: {
    message: '{path} cannot be read: {reason}',
    nextStep:
      'give the folder of a Hugging Face model on the machine of the node: config.json, *.safetensors, tokenizer.json',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  MODEL_TYPE_UNKNOWN: {
    message: 'models of type "{modelType}" cannot be imported; those that can are {known}',
    nextStep: 'import a model of one of those types',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  MODEL_CONFIG_INVALID: {
    message: 'config.json does not describe the model: {reason}',
    nextStep: 'take config.json from where the model was published',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  MODEL_FEATURE_UNSUPPORTED: {
    message: 'the model needs {feature}, which this program does not compute',
    nextStep: 'import a model without it, or a newer version of this program',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  CHECKPOINT_INDEX_INVALID: {
    message: '{file} is not the index of a checkpoint: {reason}',
    nextStep: 'download it again',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  CHECKPOINT_SHARD_MISSING: {
    message: 'the checkpoint lacks {missing} of its {files} files, {first} among them',
    nextStep: 'download what is missing, then import it again',
    fault: 'user',
    retry: true,
    httpStatus: 422
  },
  CHECKPOINT_FILE_INVALID: {
    message: '{file} is not a whole .safetensors file: {reason}',
    nextStep: 'download it again',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  CHECKPOINT_TENSOR_MISSING: {
    message: 'the checkpoint has no tensor "{tensor}"',
    nextStep: 'check that config.json and the .safetensors files are of the same model',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  CHECKPOINT_SHAPE_WRONG: {
    message: 'the tensor "{tensor}" is {shape} and config.json asks for {expected}',
    nextStep: 'check that config.json and the .safetensors files are of the same model',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  CHECKPOINT_DTYPE_UNSUPPORTED: {
    message: 'the tensor "{tensor}" is {dtype}; weights are read as F32, F16 or BF16',
    nextStep: 'import the model as it was published before it was quantised',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  CHECKPOINT_VALUE_INVALID: {
    message: 'the tensor "{tensor}" holds a value that is not a finite number',
    nextStep: 'the weights are damaged: download {file} again',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  MODEL_NAME_INVALID: {
    message: '"{name}" cannot name a model',
    nextStep: 'give it a name of small letters and digits, at most 32, that begins with a letter: --name',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  MODEL_PART_DIFFERS: {
    message: 'the part "{name}" is on chain with other weights than this folder has',
    nextStep: 'import the folder under another name with --name',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  IMPORT_BUSY: {
    message: 'this node is importing the model "{model}" already',
    nextStep: 'wait until it is done; "blyan-node model list" shows it',
    fault: 'user',
    retry: true,
    httpStatus: 409
  },
  IMPORT_STOPPED: {
    message: 'the import was stopped before it was done',
    nextStep: 'start it again: it goes on where it was',
    fault: 'user',
    retry: true,
    httpStatus: 499
  },
  TOKENIZER_MISSING: {
    message: 'the folder has no tokenizer.json, and a model with {vocabulary} tokens does not read bytes',
    nextStep: 'put tokenizer.json and tokenizer_config.json next to config.json',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  TOKENIZER_TOO_LARGE: {
    message: 'tokenizer.json has {tokens} tokens and the model knows {vocabulary}',
    nextStep: 'take the tokenizer from where the model was published',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  TOKENIZER_INVALID: {
    message: 'the tokenizer cannot be used: {reason}',
    nextStep: 'take tokenizer.json and tokenizer_config.json from where the model was published, then import it again',
    fault: 'user',
    retry: false,
    httpStatus: 422
  },
  CHAT_TEMPLATE_FAILED: {
    message: 'the chat template of the model cannot be applied to these messages: {reason}',
    nextStep: 'check the order of roles (many models want system, then user and assistant in turn)',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  TEXT_TOO_LONG: {
    message: 'a text of {characters} characters is more than the {limit} that are read at once',
    nextStep: 'shorten the text',
    fault: 'user',
    retry: false,
    httpStatus: 413
  }
} as const satisfies Record<string, ErrorEntry>
