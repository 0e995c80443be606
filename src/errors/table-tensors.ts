import type { ErrorEntry } from './error-entry.ts'

/** Failures of tensor files, formats and their transfer. */
export const tensorErrors = {
  TENSOR_FORMAT_INVALID: {
    message: 'not a valid {format} file: {reason}',
    nextStep: 'check the file with the program that wrote it, then import it again',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  TENSOR_DTYPE_UNSUPPORTED: {
    message: 'tensor "{name}" has dtype {dtype}, which a TensorBlock does not hold',
    nextStep: 'convert it to fp32, fp16, bf16, int8 or fp8 (e4m3) and import it again',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  TENSOR_FORTRAN_ORDER: {
    message: 'the array is in Fortran order; a TensorBlock is row by row',
    nextStep: 'save numpy.ascontiguousarray(array) and import that file',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  TENSOR_TOO_LARGE: {
    message: '{what} has {size}, more than the {limit} that are allowed',
    nextStep: 'split it into smaller tensors or files, or raise the limit in the configuration',
    fault: 'user',
    retry: false,
    httpStatus: 413
  },
  TENSOR_INPUT_INVALID: {
    message: 'this is not a tensor: {reason}',
    nextStep: 'check name, dtype, shape and number of bytes',
    fault: 'user',
    retry: false,
    httpStatus: 400
  },
  TENSOR_QUOTA_EXCEEDED: {
    message: 'storing {neededBytes} bytes more would exceed the tensor quota of {quotaBytes} bytes',
    nextStep: 'remove tensors that are not pinned, or raise the quota in the configuration',
    fault: 'user',
    retry: false,
    httpStatus: 507
  },
  TENSOR_NOT_FOUND: {
    message: 'tensor {cid} is not on this machine',
    nextStep: 'fetch it from the network first',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  TENSOR_IN_USE: {
    message: '{cid} is {reason}',
    nextStep: 'unpin or remove what uses it first',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  TENSOR_DAG_INVALID: {
    message: '{cid} is not the IPFS object of a TensorBlock: {reason}',
    nextStep: 'check the CID; whoever published it has to publish the tensor again',
    fault: 'peer',
    retry: false,
    httpStatus: 422
  },
  TENSOR_DATA_WRONG: {
    message: 'bytes that arrived for {cid} are not what it names: {reason}',
    nextStep: 'fetch it again; other peers will be asked',
    fault: 'peer',
    retry: true,
    httpStatus: 502
  },
  TENSOR_FETCH_TIMEOUT: {
    message: 'no peer sent all of {cid} in time: {missing} of {total} pieces are missing',
    nextStep: 'check with "blyan-node peers" that a peer that holds it is connected, then fetch it again',
    fault: 'machine',
    retry: true,
    httpStatus: 504
  },
  TENSOR_FETCH_ABORTED: {
    message: 'the fetch of {cid} was cancelled',
    nextStep: 'start it again when you want it',
    fault: 'user',
    retry: true,
    httpStatus: 499
  },
  BLOCK_TOO_LARGE: {
    message: 'a block of {sizeBytes} bytes is larger than {limitBytes}',
    nextStep: 'split the object into smaller blocks',
    fault: 'us',
    retry: false,
    httpStatus: 413
  },
  BLOCK_INVALID: {
    message: 'block {cid} cannot be stored: {reason}',
    nextStep: 'store blocks named by a CIDv1 with SHA-256 of their bytes',
    fault: 'us',
    retry: false,
    httpStatus: 400
  },
  BLOCK_NOT_FOUND: {
    message: 'block {cid} is not on this machine',
    nextStep: 'fetch it from the network first',
    fault: 'user',
    retry: true,
    httpStatus: 404
  },
  IPFS_NOT_STARTED: {
    message: 'the IPFS part of the node is not running',
    nextStep: 'start the node, then try again',
    fault: 'us',
    retry: true,
    httpStatus: 503
  },
  DISK_FULL: {
    message: 'the disk that holds {folder} is full',
    nextStep: 'free space there or move the data folder to a larger disk, then try again',
    fault: 'machine',
    retry: true,
    httpStatus: 507
  },
  DISK_FAILED: {
    message: 'the disk refused an operation in {folder}: {reason}',
    nextStep: 'check that the folder exists, is writable and that the disk is healthy',
    fault: 'machine',
    retry: false,
    httpStatus: 500
  },
  STORE_LOCKED: {
    message: 'another process uses {folder}',
    nextStep: 'stop the other node that runs on this data folder, then start again',
    fault: 'user',
    retry: false,
    httpStatus: 500
  }
} as const satisfies Record<string, ErrorEntry>
