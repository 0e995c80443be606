import { Buffer } from 'node:buffer'

/**
 * The tables of the node's database, one letter each, and how to name one of their records to a person. What a record
 * holds is the business of the room that writes it.
 */
const names: Readonly<Record<string, (key: Buffer) => string>> = {
  v: key => `vertex ${key.toString('hex')}`,
  r: key => `place of vertex ${key.subarray(16).toString('hex')} in round ${numberIn(key)}`,
  c: key => `commit ${numberIn(key)}`,
  x: key => `state entry "${key.toString('utf8')}"`,
  b: key => `block ${key.toString('hex')}`,
  i: key => `place ${numberIn(key.subarray(1))} of chain ${key.subarray(0, 1).toString('latin1')}`,
  e: key => `event ${key.toString('hex')}`,
  s: key => `place ${numberIn(key)} of the order of events`,
  k: key => `checkpoint ${numberIn(key)}`,
  j: key => `checkpoint of commit ${numberIn(key)}`,
  q: key => `certificate of checkpoint ${numberIn(key)}`,
  o: key => `signatures of those who ordered checkpoint ${numberIn(key)}`,
  p: key => `beginning of epoch ${numberIn(key)}`,
  m: key => `note "${key.toString('utf8')}" of the database about itself`
}

export function recordName(key: Uint8Array): string {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length)
  const name = names[bytes.subarray(0, 1).toString('latin1')]
  return name === undefined ? `record ${bytes.toString('hex')}` : name(bytes.subarray(1))
}

function numberIn(key: Buffer): string {
  return key.length < 8 ? key.toString('hex') : String(key.readBigUInt64BE(0))
}
