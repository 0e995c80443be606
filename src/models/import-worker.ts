/**
 * The thread that reads and converts a checkpoint, so that the node's own thread stays free. Ends when it is terminated.
 * It loads little: tensor files and the store stay with who started it.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { isBlyanError } from '../errors/index.ts'
import { type Checkpoint, completeCheckpoint } from './checkpoint.ts'
import { aheadBytesMax, type FromWorker, type ToWorker, type WorkerInput } from './import-protocol.ts'
import { partChunks } from './part-stream.ts'
import { createWeightReader } from './weight-reader.ts'

const { folder, head } = workerData as WorkerInput
const port = parentPort!
let aheadBytes = 0
let onTaken = Promise.withResolvers<void>()

function send(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

async function readParts(checkpoint: Checkpoint, parts: readonly number[]): Promise<void> {
  const reader = createWeightReader(folder)
  try {
    for (const part of parts) {
      for (const bytes of partChunks(checkpoint.parts[part]!, checkpoint.matrices[part]!, reader)) {
        aheadBytes += bytes.length
        send({ kind: 'chunk', part, bytes }, [bytes.buffer])
        while (aheadBytes > aheadBytesMax) await onTaken.promise
      }
      send({ kind: 'end', part })
    }
  } finally {
    reader.close()
  }
}

function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  const known = isBlyanError(error) ? { code: error.code, payload: { ...error.payload } } : { code: null, payload: {} }
  send({ kind: 'failed', ...known, message } as FromWorker)
}

try {
  const checkpoint = await completeCheckpoint(folder, head)
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'read') {
      readParts(checkpoint, message.parts).catch(fail)
      return
    }
    aheadBytes -= message.bytes
    onTaken.resolve()
    onTaken = Promise.withResolvers()
  })
  const { architecture, tokenizer, fingerprint, sourceBytes } = checkpoint
  send({ kind: 'plan', plan: { architecture, tokenizer, fingerprint, sourceBytes } })
} catch (error) {
  fail(error)
}
