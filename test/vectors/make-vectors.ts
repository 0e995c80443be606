// Writes signatures.json, event.json, vertex.json, checkpoint*.json, evidence.json, proof-of-sets.json and
// feed.json by a path that shares no code with src/: @noble/curves for the
// curves, node:crypto for SHA-256, and the few lines of CBOR (RFC 8949, canonical as in DAG-CBOR) below.
// Run by hand when a format changes: node test/vectors/make-vectors.ts
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { ed25519 } from '@noble/curves/ed25519.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'

type Value = number | string | Uint8Array | null | Value[] | { [key: string]: Value }

function head(major: number, n: number): Buffer {
  if (n < 24) return Buffer.of((major << 5) | n)
  const size = n < 2 ** 8 ? 1 : n < 2 ** 16 ? 2 : n < 2 ** 32 ? 4 : 8
  const out = Buffer.alloc(1 + size)
  out[0] = (major << 5) | { 1: 24, 2: 25, 4: 26, 8: 27 }[size]!
  if (size === 8) out.writeBigUInt64BE(BigInt(n), 1)
  else out.writeUIntBE(n, 1, size)
  return out
}

function cbor(value: Value): Buffer {
  if (value === null) return Buffer.of(0xf6)
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(cbor)])
  const keys = Object.keys(value).sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  return Buffer.concat([head(5, keys.length), ...keys.flatMap(key => [cbor(key), cbor(value[key]!)])])
}

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const text = (value: string): Buffer => Buffer.from(value, 'utf8')

function base(alphabet: string, bytes: Uint8Array, bits: number): string {
  let out = ''
  let buffer = 0
  let held = 0
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte
    held += 8
    while (held >= bits) {
      out += alphabet[(buffer >> (held -= bits)) & ((1 << bits) - 1)]
    }
    buffer &= (1 << held) - 1
  }
  return held > 0 ? out + alphabet[(buffer << (bits - held)) & ((1 << bits) - 1)] : out
}
const cidOf = (digest: Uint8Array): string =>
  `b${base('abcdefghijklmnopqrstuvwxyz234567', Buffer.concat([Buffer.of(1, 0x71, 0x12, 32), digest]), 5)}`

function base58(bytes: Uint8Array): string {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  let number = BigInt(`0x${hex(bytes)}`)
  let out = ''
  for (; number > 0n; number /= 58n) out = alphabet[Number(number % 58n)] + out
  return `z${out}`
}

const secrets = ['blyan vector 1', 'blyan vector 2', 'blyan vector 3'].map(name => sha256(text(name)))
const messages = [text(''), text('blyan'), Buffer.alloc(300, 0xa5)]
const signatures = {
  ed25519: secrets.map((secret, i) => {
    const publicKey = Buffer.concat([Buffer.of(0xed, 1), ed25519.getPublicKey(secret)])
    return {
      secret: hex(secret),
      publicKey: hex(publicKey),
      publicKeyText: base58(publicKey),
      message: hex(messages[i]!),
      signature: hex(ed25519.sign(messages[i]!, secret))
    }
  }),
  secp256k1: secrets.map((secret, i) => {
    const publicKey = Buffer.concat([Buffer.of(0xe7, 1), secp256k1.getPublicKey(secret, true)])
    return {
      secret: hex(secret),
      publicKey: hex(publicKey),
      publicKeyText: base58(publicKey),
      message: hex(messages[i]!),
      signature: hex(secp256k1.sign(messages[i]!, secret))
    }
  })
}

const genesisDigest = sha256(text('a genesis for vectors'))
const author = Buffer.from(signatures.ed25519[0]!.publicKey, 'hex')
const envelope = {
  tenantId: 'main',
  logicalClock: 7,
  region: 'eu-west',
  origin: 'home',
  createdAt: 1_760_000_000_000,
  type: 'note',
  payload: text('hello, quorum'),
  author
}
const envelopeBytes = cbor(envelope)
const eventDigest = sha256(envelopeBytes)
const eventMessage = Buffer.concat([text('blyan/event/1'), genesisDigest, eventDigest])
const eventSignature = ed25519.sign(eventMessage, secrets[0]!)
const event = {
  secret: hex(secrets[0]!),
  genesisDigest: hex(genesisDigest),
  envelope: { ...envelope, payload: hex(envelope.payload), author: hex(author) },
  envelopeBytes: hex(envelopeBytes),
  id: cidOf(eventDigest),
  hash: hex(eventDigest),
  signingBytes: hex(eventMessage),
  signature: hex(eventSignature),
  signedBytes: hex(Buffer.concat([eventSignature, envelopeBytes]))
}

const signedEvent = Buffer.from(event.signedBytes, 'hex')
const lengthPrefix = Buffer.alloc(4)
lengthPrefix.writeUInt32BE(signedEvent.length)
const body = Buffer.concat([lengthPrefix, signedEvent])
const parents = [1, 0, 2].map(one => ({ round: 41, author: one, digest: hex(sha256(text(`parent ${one}`))) }))
const vote = { sequence: 9, digest: hex(sha256(text('checkpoint'))), signature: hex(Buffer.alloc(64, 3)) }
const headerBytes = cbor([
  1,
  0,
  42,
  1,
  1_760_000_000_123,
  parents.map(parent => [parent.round, parent.author, Buffer.from(parent.digest, 'hex')]),
  1,
  sha256(body),
  [[vote.sequence, Buffer.from(vote.digest, 'hex'), Buffer.from(vote.signature, 'hex')]]
])
const vertexDigest = sha256(headerBytes)
const vertexMessage = Buffer.concat([text('blyan/vertex/1'), genesisDigest, vertexDigest])
const vertexSignature = ed25519.sign(vertexMessage, secrets[1]!)
const headerLength = Buffer.alloc(4)
headerLength.writeUInt32BE(headerBytes.length)
const commitBytes = cbor([
  1,
  5,
  41,
  sha256(text('commit 4')),
  1_760_000_000_100,
  parents.map(parent => [parent.round, parent.author, Buffer.from(parent.digest, 'hex')])
])
const vertex = {
  secret: hex(secrets[1]!),
  genesisDigest: hex(genesisDigest),
  header: {
    epoch: 0,
    round: 42,
    author: 1,
    timestampMs: 1_760_000_000_123,
    parents,
    eventCount: 1,
    bodyDigest: hex(sha256(body)),
    votes: [vote]
  },
  headerBytes: hex(headerBytes),
  digest: hex(vertexDigest),
  signingBytes: hex(vertexMessage),
  signature: hex(vertexSignature),
  vertexBytes: hex(Buffer.concat([headerLength, headerBytes, vertexSignature, body])),
  commit: {
    index: 5,
    round: 41,
    previous: hex(sha256(text('commit 4'))),
    timestampMs: 1_760_000_000_100,
    vertices: parents
  },
  commitBytes: hex(commitBytes),
  commitDigest: hex(sha256(commitBytes))
}

const digestOf = (name: string): Buffer => sha256(text(name))
const checkpointFields = {
  epoch: 0,
  sequence: 3,
  commitIndex: 64,
  commitDigest: hex(digestOf('commit 64')),
  previous: hex(digestOf('checkpoint 2')),
  eventFirst: 11,
  eventCount: 5,
  eventRoot: hex(digestOf('events')),
  stateRoot: hex(digestOf('state')),
  chainHeads: [hex(digestOf('A')), hex(digestOf('B')), null, null],
  timestampMs: 1_760_000_001_000
}
const fromHex = (value: string | null): Buffer | null => (value === null ? null : Buffer.from(value, 'hex'))
const checkpointBytes = cbor([
  1,
  checkpointFields.epoch,
  checkpointFields.sequence,
  checkpointFields.commitIndex,
  fromHex(checkpointFields.commitDigest),
  fromHex(checkpointFields.previous),
  checkpointFields.eventFirst,
  checkpointFields.eventCount,
  fromHex(checkpointFields.eventRoot),
  fromHex(checkpointFields.stateRoot),
  checkpointFields.chainHeads.map(fromHex),
  checkpointFields.timestampMs
])
const checkpoint = {
  genesisDigest: hex(genesisDigest),
  checkpoint: checkpointFields,
  bytes: hex(checkpointBytes),
  digest: hex(sha256(checkpointBytes)),
  signingBytes: hex(Buffer.concat([text('blyan/checkpoint/1'), genesisDigest, sha256(checkpointBytes)]))
}

// A boundary checkpoint: the same fields, and the digest of the next set.
const nextSetDigest = digestOf('the next set')
const boundaryCheckpoint = (fields: typeof checkpointFields, nextSet: Uint8Array): Buffer =>
  cbor([
    2,
    fields.epoch,
    fields.sequence,
    fields.commitIndex,
    fromHex(fields.commitDigest),
    fromHex(fields.previous),
    fields.eventFirst,
    fields.eventCount,
    fromHex(fields.eventRoot),
    fromHex(fields.stateRoot),
    fields.chainHeads.map(fromHex),
    fields.timestampMs,
    nextSet
  ])
const boundaryBytes = boundaryCheckpoint(checkpointFields, nextSetDigest)
const boundary = {
  genesisDigest: hex(genesisDigest),
  checkpoint: { ...checkpointFields, nextSet: hex(nextSetDigest) },
  bytes: hex(boundaryBytes),
  digest: hex(sha256(boundaryBytes)),
  signingBytes: hex(Buffer.concat([text('blyan/checkpoint/1'), genesisDigest, sha256(boundaryBytes)]))
}

// Two headers of one slot, both signed: evidence.
const otherHeader = cbor([1, 0, 42, 1, 1_760_000_000_124, [], 0, sha256(), []])
const signedHeader = (header: Uint8Array): Value => [
  header,
  ed25519.sign(Buffer.concat([text('blyan/vertex/1'), genesisDigest, sha256(header)]), secrets[1]!)
]
const headersInOrder = [headerBytes, otherHeader].sort((a, b) => Buffer.compare(sha256(a), sha256(b)))
const evidence = {
  genesisDigest: hex(genesisDigest),
  publicKey: signatures.ed25519[1]!.publicKey,
  first: hex(headersInOrder[0]!),
  second: hex(headersInOrder[1]!),
  payload: hex(cbor({ first: signedHeader(headersInOrder[0]!), second: signedHeader(headersInOrder[1]!) }))
}

// A finality proof of epoch 2: member 3 leaves with epoch 1, member 0 has a new key with epoch 2.
const memberSecrets = [0, 1, 2, 3, 4].map(index => sha256(text(`blyan vector member ${index}`)))
const publicKeyOf = (secret: Uint8Array): Buffer => Buffer.concat([Buffer.of(0xed, 1), ed25519.getPublicKey(secret)])
const memberOf = (index: number, key = index): Value => [
  `member ${index}`,
  publicKeyOf(memberSecrets[key]!),
  `peer ${index}`,
  'origin',
  'region',
  1
]
const setGenesis = {
  schema: 'blyan.genesis/1',
  network: 'vectors',
  createdAt: '2026-01-01T00:00:00Z',
  pact: hex(digestOf('pact')),
  validators: [0, 1, 2, 3].map(index => ({
    name: `member ${index}`,
    publicKey: base58(publicKeyOf(memberSecrets[index]!)),
    peerId: `peer ${index}`,
    origin: 'origin',
    region: 'region',
    weight: 1
  })),
  accounts: [],
  consensus: {
    heartbeatMs: 10_000,
    roundTimeoutMs: 250,
    gcDepthRounds: 60,
    eventsPerVertexMax: 1024,
    bodyBytesMax: 1_048_576,
    checkpointCommitsMax: 64,
    checkpointIntervalMs: 500,
    epochMs: 60_000
  },
  model: { architecture: {}, parts: [] }
}
const setGenesisDigest = sha256(cbor(setGenesis))
const setEnvelope = cbor({ ...envelope, createdAt: 1_767_225_600_000 })
const setEvent = Buffer.concat([
  ed25519.sign(Buffer.concat([text('blyan/event/1'), setGenesisDigest, sha256(setEnvelope)]), secrets[0]!),
  setEnvelope
])
const votesOf = (bytes: Uint8Array, keys: readonly number[]): Value =>
  keys.map((key, author) => [
    author,
    ed25519.sign(
      Buffer.concat([text('blyan/checkpoint/1'), setGenesisDigest, sha256(bytes)]),
      memberSecrets[key]!
    )
  ])
const sets = [
  cbor([1, 1, 70, [memberOf(0), memberOf(1), memberOf(2)]]),
  cbor([1, 2, 140, [memberOf(0, 4), memberOf(1), memberOf(2)]])
]
const endings = sets.map((set, epoch) =>
  boundaryCheckpoint({ ...checkpointFields, epoch, sequence: epoch + 1, commitIndex: 70 * (epoch + 1) }, sha256(set))
)
const lastCheckpoint = cbor([
  1,
  2,
  3,
  150,
  digestOf('commit 150'),
  sha256(endings[1]!),
  1,
  1,
  sha256(Buffer.of(0), sha256(setEnvelope)),
  digestOf('state'),
  [digestOf('A'), null, null, null],
  1_767_225_700_000
])
const proofOfSets = {
  genesis: setGenesis,
  signers: ['member 0', 'member 1', 'member 2'],
  proof: hex(
    cbor({
      kind: 'blyan.finality-proof/1',
      event: setEvent,
      refusal: '',
      index: 0,
      path: [],
      checkpoints: [lastCheckpoint],
      votes: votesOf(lastCheckpoint, [4, 1, 2]),
      sets: [
        [endings[0]!, votesOf(endings[0]!, [0, 1, 2]), sets[0]!],
        [endings[1]!, votesOf(endings[1]!, [0, 1, 2]), sets[1]!]
      ]
    })
  )
}

// What peers push and ask besides whole vertices. The short vertex has parents of authors 2, 0 and 1 of the round before
// (its own first) and one of author 3 of an older round.
const feedParents = [0, 1, 2].map(author => digestOf(`round 41 author ${author}`))
const feedOlder = { round: 39, author: 3, digest: hex(digestOf('round 39 author 3')) }
const feedRef = ({ round, author, digest }: { round: number; author: number; digest: string }): Value => [
  round,
  author,
  fromHex(digest)
]
const feedHeader = cbor([
  1,
  1,
  42,
  2,
  1_760_000_000_456,
  [
    ...[2, 0, 1].map(author => feedRef({ round: 41, author, digest: hex(feedParents[author]!) })),
    feedRef(feedOlder)
  ],
  0,
  sha256(),
  []
])
const feedHeaderLength = Buffer.alloc(4)
feedHeaderLength.writeUInt32BE(feedHeader.length)
const feedSignature = ed25519.sign(
  Buffer.concat([text('blyan/vertex/1'), genesisDigest, sha256(feedHeader)]),
  secrets[1]!
)
const feed = {
  progress: `02${hex(cbor([3, 70_000, 65_000, 64_000, 60_000, 63_000]))}`,
  announcement: `03${hex(cbor([1, [[700, 2, Buffer.alloc(32, 0xef)]]]))}`,
  witnessRequest: hex(cbor([2, 3])),
  witness: hex(cbor([2, 812, 811])),
  brief: {
    epoch: 1,
    round: 42,
    author: 2,
    timestampMs: 1_760_000_000_456,
    present: '07',
    older: [feedOlder],
    digest: hex(sha256(feedHeader)),
    signature: hex(feedSignature)
  },
  briefParents: [...feedParents.map(hex), null],
  briefBytes: hex(
    cbor([1, 42, 2, 1_760_000_000_456, Buffer.of(7), [feedRef(feedOlder)], sha256(feedHeader), feedSignature])
  ),
  vertexBytes: hex(Buffer.concat([feedHeaderLength, feedHeader, feedSignature]))
}

const files = {
  signatures,
  event,
  vertex,
  checkpoint,
  'checkpoint-boundary': boundary,
  evidence,
  'proof-of-sets': proofOfSets,
  feed
}
for (const [name, content] of Object.entries(files))
  writeFileSync(new URL(`./${name}.json`, import.meta.url), `${JSON.stringify(content, null, 2)}\n`)
