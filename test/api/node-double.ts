import { BlyanError } from '../../src/errors/index.ts'
import type {
  BlockView,
  BlyanNode,
  EventLine,
  MemberStatus,
  NodeStatus,
  OffenceView,
  PartPicks,
  StreamMessage,
  SubmitRequest,
  ValidatorsView
} from '../../src/node/index.ts'
import { LedgerWorld } from '../ledger/ledger-world.ts'
import { type AnswersDouble, createAnswersDouble } from './answers-double.ts'
import { importLines } from './import-double.ts'
import { createLearningDouble, type LearningDouble } from './learning-double.ts'

/** A stand-in for a running node: it keeps what it is given in memory and orders nothing. For tests of what stands on BlyanNode. */
export type NodeDouble = BlyanNode & {
  readonly submitted: SubmitRequest[]
  readonly tensors: Map<string, Uint8Array>
  readonly pinned: Set<string>
  /** Versions of parts that losses and texts were asked with. */
  readonly picked: (PartPicks | undefined)[]
  /** Replace it to have other answers. */
  answers: AnswersDouble
  readonly learning: LearningDouble
  ready: boolean
  /** Validators that do not confirm: events are degraded while there are some. */
  lacks: string[]
  stopped: boolean
}

const sampleSnapshot = {
  id: 'ee',
  sequence: 7,
  commit: 1,
  epoch: 0,
  stateRoot: 'cc',
  time: '2026-01-01T00:00:00Z',
  chunks: 1,
  entries: 2,
  sizeBytes: 3,
  folder: '/data/snapshots/7'
}

export function createNodeDouble(): NodeDouble {
  const submitted: SubmitRequest[] = []
  const tensors = new Map<string, Uint8Array>()
  const pinned = new Set<string>()
  const picked: (PartPicks | undefined)[] = []
  const double: NodeDouble = {
    submitted,
    tensors,
    pinned,
    picked,
    answers: createAnswersDouble(),
    learning: createLearningDouble(),
    ready: true,
    lacks: [],
    stopped: false,
    ledger: new LedgerWorld().access,
    status: async () => ({
      ...sampleStatus,
      state: double.ready ? 'ready' : 'syncing',
      ready: double.ready,
      reasons: double.ready ? [] : ['it is syncing'],
      events: { pending: 0, final: submitted.length, degraded: 0 }
    }),
    peers: () => [
      {
        peerId: '12D3KooW1',
        address: '/ip4/127.0.0.1/tcp/1',
        direction: 'outbound',
        version: '0.1.0',
        roles: ['validator'],
        validator: 'v1',
        round: 3,
        latencyMs: 1.5,
        score: 0,
        member: sampleMember
      }
    ],
    notReadyReasons: () => (double.ready ? [] : ['it is syncing']),
    degradedReasons: () => double.lacks,
    metrics: async () => '# HELP blyan_round round\nblyan_round 3\n',
    submitEvent: async request => {
      if (!('type' in request)) throw new BlyanError('REQUEST_INVALID', { reason: 'the double takes no signed events' })
      submitted.push(request)
      const sequence = submitted.length - 1
      const finality = double.lacks.length === 0 ? 'final' : 'degraded'
      return {
        eventId: `event${sequence}`,
        final: finality === 'final',
        finality,
        sequence,
        block: null,
        missing: double.lacks,
        elapsedMs: 1
      }
    },
    submitSignedEvents: async signedEvents =>
      signedEvents.map(bytes => {
        if (bytes.length < 64) return new BlyanError('EVENT_INVALID', { reason: 'size' })
        submitted.push({ signedEvent: bytes })
        const eventId = `event${submitted.length - 1}`
        const rest = { sequence: null, block: null, missing: [], elapsedMs: 1 }
        return { eventId, final: false, finality: 'pending', ...rest }
      }),
    showEvent: async eventId => {
      const sequence = Number(eventId.replace('event', ''))
      const request = submitted[sequence]
      if (request === undefined || !('type' in request))
        throw new BlyanError('ROUTE_UNKNOWN', { method: 'event', path: eventId })
      return {
        eventId,
        type: request.type,
        author: 'z6Mk',
        final: true,
        finality: 'final',
        refusal: null,
        sequence,
        prepared: ['v1', 'v2', 'v3'],
        committed: ['v1', 'v2', 'v3'],
        tenantId: '',
        logicalClock: 0,
        region: '',
        origin: '',
        createdAt: '2026-01-01T00:00:00Z',
        hash: '00',
        signature: '00',
        payloadBytes: request.payload.length,
        payload: Buffer.from(request.payload).toString(),
        commit: 1,
        committedAt: null,
        block: null
      }
    },
    listEvents: ({ from, limit }) => eventLines(submitted, from, limit),
    eventProof: async () => Uint8Array.of(1, 2, 3),
    encodePayload: (type, json) => {
      if (type !== 'structured') throw new BlyanError('REQUEST_INVALID', { reason: `no event type "${type}"` })
      return new TextEncoder().encode(JSON.stringify(json))
    },
    chainBlocks: chain => chainBlocks(chain === 'A' ? [sampleBlock] : []),
    validators: () => sampleValidators,
    changeValidators: async change => {
      const payload = new TextEncoder().encode(JSON.stringify(change))
      submitted.push({ type: `validator-${change.change}`, payload })
      const sequence = submitted.length - 1
      return {
        eventId: `event${sequence}`,
        final: true,
        finality: 'final',
        missing: [],
        sequence,
        block: null,
        elapsedMs: 1
      }
    },
    listOffences: () => offences(),
    checkExpertEvidence: async number => {
      throw new BlyanError('EXPERT_EVIDENCE_UNKNOWN', { number })
    },
    verifyChains: async () => ({
      valid: true,
      reason: null,
      blocks: 1,
      events: submitted.length,
      stateRoot: '00',
      since: null,
      elapsedMs: 1
    }),
    createSnapshot: async () => sampleSnapshot,
    listSnapshots: async () => [sampleSnapshot],
    checkpoint: async (sequence = 7) => ({
      sequence,
      digest: 'aa',
      commit: 1,
      commitDigest: 'bb',
      stateRoot: 'cc',
      eventRoot: 'dd',
      eventFirst: 0,
      eventCount: 1,
      chainHeads: { A: null, B: null, C: null, D: null },
      time: '2026-01-01T00:00:00Z',
      signers: ['v1', 'v2', 'v3']
    }),
    putTensor: async ({ name, bytes }) => {
      const parts: Uint8Array[] = []
      for await (const part of bytes) {
        if (part.includes(0xff)) throw new BlyanError('REQUEST_INVALID', { reason: 'a byte 255 is no tensor' })
        parts.push(part)
      }
      const whole = Buffer.concat(parts)
      const cid = `bafy${tensors.size}`
      tensors.set(cid, whole)
      const tensor = { name, cid, dtype: 'f32', shape: [whole.length / 4], sizeBytes: whole.length }
      return { ...tensor, kind: 'tensor', tensors: [tensor] }
    },
    exportTensor: async cid => {
      const bytes = found(tensors, cid)
      return { format: 'npy', fileName: `${cid}.npy`, sizeBytes: bytes.length, bytes: slices(bytes) }
    },
    fetchTensor: async cid => tensorView(cid, found(tensors, cid), pinned),
    showTensor: async cid => tensorView(cid, found(tensors, cid), pinned),
    verifyTensor: async cid => ({ valid: found(tensors, cid).length > 0, reason: null, leavesChecked: 1 }),
    pinTensor: async (cid, keep) => void (keep ? pinned.add(cid) : pinned.delete(cid)),
    listExperts: () => [sampleExpert],
    showExpert: name => ({ ...sampleExpert, name, history: ['bafy'], tensors: ['bafy'], heldBy: [sampleHolder] }),
    listHolders: () => [sampleHolder],
    evaluate: async ({ text, parts }) => {
      picked.push(parts)
      return { lossNatsPerByte: 1.5, bytes: text.length, elapsedMs: 1, device: 'cpu', replaced: null }
    },
    generate: ({ prompt, parts }) => {
      picked.push(parts)
      return slices(prompt, 1)
    },
    models: () => double.answers.models(),
    importModel: request => importLines(request),
    tokenizer: model => double.answers.tokenizer(model),
    answer: request => double.answers.answer(request),
    stream: ({ signal }) => messages(signal),
    setLogLevel: component => {
      if (component !== '*') throw new RangeError(`no component "${component}"`)
    },
    stop: async () => {
      double.stopped = true
    }
  }
  return double
}

async function* eventLines(
  submitted: readonly SubmitRequest[],
  from: number,
  limit: number
): AsyncGenerator<EventLine> {
  for (const [sequence, request] of submitted.entries()) {
    if (sequence >= from && sequence < from + limit && 'type' in request)
      yield { sequence, eventId: `event${sequence}`, type: request.type, author: 'z6Mk', finality: 'final' }
  }
}

async function* offences(): AsyncGenerator<OffenceView> {
  const [first, second] = ['11'.repeat(32), '22'.repeat(32)]
  yield { epoch: 0, key: 'z6Mk', name: 'v1', round: 9, first, second, reporter: 'z6Mk', time: '2026-01-01T00:00:00Z' }
}

async function* chainBlocks(blocks: readonly BlockView[]): AsyncGenerator<BlockView> {
  yield* blocks
}

async function* slices(bytes: Uint8Array, sizeBytes = 65536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.subarray(at, at + sizeBytes)
}

async function* messages(signal: AbortSignal): AsyncGenerator<StreamMessage> {
  yield { kind: 'status', status: sampleStatus }
  yield { kind: 'event', event: { sequence: 0, eventId: 'event0', type: 'note', author: 'z6Mk', finality: 'final' } }
  await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve(), { once: true }))
}

function found(tensors: ReadonlyMap<string, Uint8Array>, cid: string): Uint8Array {
  const bytes = tensors.get(cid)
  if (bytes === undefined) throw new BlyanError('CID_INVALID', { text: cid })
  return bytes
}

function tensorView(cid: string, bytes: Uint8Array, pinned: ReadonlySet<string>) {
  return {
    cid,
    name: 'tensor',
    dtype: 'f32',
    shape: [bytes.length / 4],
    sizeBytes: bytes.length,
    dataOffsetBytes: 0,
    leaves: 1,
    tiles: 1,
    pinned: pinned.has(cid),
    path: '/x'
  }
}

const sampleExpert = {
  name: 'expert-0',
  blockType: 'expert',
  layer: 0,
  block: 'bafy',
  tensor: 'bafy',
  shape: [2, 2],
  versions: 1,
  local: true,
  holders: 1
}

const sampleHolder = {
  peerId: '12D3KooW2',
  account: null,
  priceUnitsPer1000Rows: '100',
  score: 3,
  openCalls: 0,
  roundTripMs: 2.5,
  standing: 'good' as const,
  experts: 1
}

const sampleValidators: ValidatorsView = {
  epoch: 2,
  since: '2026-01-01T00:00:00Z',
  closesAt: null,
  quorumWeight: 1,
  members: [
    {
      name: 'v1',
      key: 'z6Mk',
      peerId: '12D3KooW1',
      origin: '',
      region: '',
      weight: 1,
      leaves: false,
      newKey: null,
      removal: []
    }
  ],
  candidates: [],
  next: null,
  own: [],
  operators: [],
  stakeRules: null
}

const sampleBlock: BlockView = {
  cid: 'bafyA',
  index: 0,
  chain_id: 'A',
  depends_on: [],
  block_type: 'meta',
  expert_name: null,
  layer_id: null,
  payload_hash: '00',
  nonce: 0,
  miner_pub: 'z6Mk',
  payload_sig: '00',
  event: null
}

const sampleMember: MemberStatus = {
  id: 'v1',
  name: 'a\u001b[31m',
  origin: '',
  region: '',
  weight: 1,
  connected: true,
  lastRound: 3,
  hasSlot: true,
  presence: 0.75,
  waitedFor: true,
  lateMs: 12,
  offences: 0
}

export const sampleStatus: NodeStatus = {
  schema: 'blyan.status/1',
  version: '0.1.0',
  network: 'devnet',
  genesis: 'bafyG',
  nodeId: '12D3KooW0',
  roles: ['validator'],
  state: 'ready',
  ready: true,
  reasons: [],
  quorum: {
    validators: 4,
    connected: 4,
    needed: 3,
    faultsTolerated: 1,
    epoch: 0,
    round: 3,
    finalRound: 1,
    commits: 1,
    promise: 'one of four may fail',
    mode: 'final',
    orderingNeeded: 3,
    connectedWeight: 4,
    missing: [],
    members: [sampleMember],
    origins: [
      {
        kind: 'origin',
        name: 'cloud-1',
        validators: ['v1', 'v2'],
        weight: 2,
        stopsFinality: true,
        stopsOrdering: true,
        exceedsFaults: true
      }
    ]
  },
  events: { pending: 0, final: 0, degraded: 0 },
  checkpoint: { sequence: 0, digest: null, signers: 0, stateRoot: null },
  chains: {
    A: { height: 1, head: 'bafyA' },
    B: { blocks: 0, tips: [] },
    C: { height: 0, head: null },
    D: { height: 0, head: null }
  },
  peers: 1,
  stake: '0',
  disk: { usedBytes: 1, freeBytes: 2 },
  device: { provider: 'cpu', name: 'x', score: 1.5, tier: 0, why: 'cpu: 100 GFLOP/s' },
  experts: {
    engine: {
      state: 'running',
      restarts: 0,
      residentBytes: 100,
      mappedBytes: 80,
      prepackedBytes: 20,
      cacheHitRate: 0.5,
      cacheEvictions: 0
    },
    answers: { running: 0, waiting: 0, made: 2, tokens: 40, firstTokenMs: null, predictionRatio: null },
    calls: {
      made: 3,
      failed: 0,
      rowsElsewhere: 12,
      latencyMs: { p50: 1, p95: 2, p99: 3 },
      served: 4,
      rowsServed: 16,
      refused: 0
    },
    kept: { held: 8, heldBytes: 800, bytesMax: 1000, fetched: 1, dropped: 0, hot: 1 },
    holders: 1
  },
  sync: null,
  genesisPact: { asked: 0, agree: 0, alarm: false },
  alarms: [],
  divergence: null,
  recovery: null,
  transitions: [{ at: '2026-01-01T00:00:00Z', kind: 'member-lost', text: 'validator v2 is gone' }],
  account: 'z6Mk',
  addresses: ['/ip4/127.0.0.1/tcp/1'],
  dataFolder: '/x',
  startedAt: '2026-01-01T00:00:00Z',
  nextStep: null
}
