import { readFile } from 'node:fs/promises'
import { bytesToHex, sha256 } from '../codec/index.ts'

/** SHA-256 (hex) of the Genesis Pact that this build carries. */
export async function pactDigest(): Promise<string> {
  // The same place seen from src/node/ and from dist/node/.
  return bytesToHex(sha256(await readFile(new URL('../../genesis/pact.md', import.meta.url))))
}
