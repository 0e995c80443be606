import { parentPort } from 'node:worker_threads'
import { decodeChecks } from './signature-batch.ts'
import { verifySignatureSync } from './signatures.ts'

/** A thread of the signature pool: one message of checks in, one byte for each out, in the same order. */
parentPort!.on('message', (bytes: Uint8Array) => {
  const verdicts = new Uint8Array(
    decodeChecks(bytes).map(({ publicKey, message, signature }) =>
      verifySignatureSync(publicKey, message, signature) ? 1 : 0
    )
  )
  parentPort!.postMessage(verdicts, [verdicts.buffer])
})
