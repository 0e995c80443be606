import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { bytesToHex, type SigningKey, sha256 } from '../../src/codec/index.ts'
import { completeBrief, decodeBrief } from '../../src/consensus/brief-vertex.ts'
import { Replica } from '../../src/consensus/core/replica.ts'
import type { Effect } from '../../src/consensus/core/replica-types.ts'
import {
  decodeVertex,
  encodeHeader,
  encodeVertex,
  type Vertex,
  type VertexHeader,
  vertexSigningBytes
} from '../../src/consensus/core/vertex.ts'
import {
  decodeAnnouncement,
  decodeProgress,
  decodeVerticesRequest,
  encodeProgress,
  encodeVertexFrame,
  encodeVerticesRequest,
  feedFrame
} from '../../src/consensus/wire.ts'
import { type Genesis, parseGenesis } from '../../src/dag/index.ts'
import { createNetwork, type FeedSender, type Network, protocolIds } from '../../src/net/index.ts'
import { dataFolderPaths } from '../../src/node/index.ts'
import { openKeyStore } from '../../src/node/key-store.ts'
import { framed } from './hostile-peer.ts'
import type { ProcessNetwork } from './network-of-processes.ts'

/** What a puppet does with a vertex it has just signed; it is sent nowhere else. */
export type Telling = (vertex: Vertex) => void

/**
 * A member of the quorum with a real key and no conscience: it speaks the real protocol with our own network and core,
 * checks nothing, stores nothing, executes nothing, and tells whom it likes what it likes.
 */
export class PuppetValidator {
  readonly genesis: Genesis
  readonly author: number
  readonly network: Network
  readonly #key: SigningKey
  readonly #replica: Replica
  readonly #feeds = new Map<string, FeedSender>()
  readonly #seen = new Map<string, Vertex>()
  #timer: NodeJS.Timeout | undefined
  #isPumping = false
  #isStopped = false
  /** How a vertex is told; honest unless changed. */
  tell: Telling = vertex => this.tellAll(vertex)
  /** What becomes of a header before it is signed. */
  bend: (header: VertexHeader) => VertexHeader = header => header
  /** Answers to fetches: honest unless changed. */
  answer: (digests: readonly string[]) => Promise<Uint8Array> = async digests => this.honestAnswer(digests)
  asked = 0

  constructor(input: { genesis: Genesis; author: number; key: SigningKey; network: Network }) {
    this.genesis = input.genesis
    this.author = input.author
    this.network = input.network
    this.#key = input.key
    const { committee, digest, timeMs, parameters } = input.genesis
    this.#replica = new Replica({
      epoch: { committee, digest, timestampMs: timeMs },
      self: input.author,
      // It executes nothing, so nothing is ever certified for it: that must not hold it back.
      parameters: { ...parameters, commitsPerSyncMax: 1_000_000, roundsAheadMax: 1_000_000 },
      context: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
      restored: {
        point: { index: 0, round: 0, digest: bytesToHex(digest), timestampMs: timeMs },
        gcRound: -1,
        committed: [],
        recentCommits: [],
        vertices: [],
        floorRound: 0,
        ownEvents: [],
        waitingEvents: [],
        certifiedSequence: 0,
        certifiedCommitIndex: 0
      }
    })
    this.network.onPeer((peerId, isThere) => (isThere ? this.#met(peerId) : this.#lost(peerId)))
    this.network.onFeed((peerId, frame) => this.#heard(peerId, frame))
    this.network.serve(protocolIds.vertices, async (_, request) => {
      this.asked++
      return this.answer(decodeVerticesRequest(request, 64).digests)
    })
    this.network.serve(protocolIds.commits, async () => Uint8Array.of(0x83, 0x80, 0x40, 0x80))
    this.network.serve(protocolIds.relay, async () => Uint8Array.of(1))
  }

  get round(): number {
    return this.#replica.highestRoundOf(this.author)
  }

  /** The newest vertex of this key. */
  get last(): Vertex | undefined {
    return [...this.#seen.values()].findLast(vertex => vertex.header.author === this.author)
  }

  get vertices(): readonly Vertex[] {
    return [...this.#seen.values()]
  }

  peerOf(author: number): string {
    return this.genesis.committee.validators[author]!.peerId
  }

  start(): void {
    const turn = (): void => {
      if (this.#isStopped) return
      this.#replica.tick()
      this.#pump()
      this.#timer = setTimeout(turn, this.#replica.tickWithinMs)
    }
    turn()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    for (const feed of this.#feeds.values()) feed.close()
    await this.network.stop()
  }

  /** A vertex with our signature, whatever is in it. */
  sign(header: VertexHeader, body: Uint8Array = new Uint8Array(0)): Vertex {
    const headerBytes = encodeHeader({ ...header, bodyDigest: bytesToHex(sha256(body)) })
    const digest = bytesToHex(sha256(headerBytes))
    const signature = this.#key.sign(vertexSigningBytes(this.genesis.digest, digest))
    return { digest, header, headerBytes, signature, body }
  }

  signBytes(message: Uint8Array): Uint8Array {
    return this.#key.sign(message)
  }

  push(author: number, frame: Uint8Array): void {
    this.#feeds.get(this.peerOf(author))?.push(frame)
  }

  tellTo(vertex: Vertex, authors: readonly number[]): void {
    for (const author of authors) this.push(author, encodeVertexFrame(vertex))
  }

  tellAll(vertex: Vertex): void {
    this.tellTo(vertex, [...this.genesis.committee.validators.keys()])
  }

  honestAnswer(digests: readonly string[]): Uint8Array {
    return Buffer.concat(
      digests.flatMap(digest => {
        const vertex = this.#seen.get(digest)
        return vertex === undefined ? [] : [framed(encodeVertex(vertex))]
      })
    )
  }

  #met(peerId: string): void {
    const validator = this.genesis.committee.validators.findIndex(one => one.peerId === peerId)
    const feed = this.network.feed(peerId, () => {})
    this.#feeds.set(peerId, feed)
    feed.push(
      encodeProgress({
        ...this.#replica.progress(),
        certifiedCommitIndex: 0,
        oldestCommitIndex: 1,
        snapshotCommitIndex: 0
      })
    )
    this.#replica.peerConnected(peerId, validator === -1 ? undefined : validator)
    this.#pump()
  }

  #lost(peerId: string): void {
    this.#feeds.get(peerId)?.close()
    this.#feeds.delete(peerId)
    this.#replica.peerDisconnected(peerId)
    this.#pump()
  }

  #heard(peerId: string, frame: Uint8Array): undefined {
    const bytes = frame.subarray(1)
    if (frame[0] === feedFrame.vertex) this.#take(peerId, [decodeVertex(bytes)])
    else if (frame[0] === feedFrame.progress) this.#replica.peerProgress(peerId, decodeProgress(bytes))
    else if (frame[0] === feedFrame.announcement) {
      const lacking = decodeAnnouncement(bytes).refs.filter(ref => !this.#replica.holds(ref.digest))
      if (lacking.length > 0)
        void this.#fetch(
          peerId,
          lacking.map(ref => ref.digest),
          Number.MAX_SAFE_INTEGER
        )
    } else {
      const brief = decodeBrief(bytes)
      const vertex = completeBrief(brief, author => this.#replica.slot(brief.round - 1, author)[0]?.digest)
      if (vertex !== undefined) this.#take(peerId, [vertex])
      else void this.#fetch(peerId, [brief.digest], Number.MAX_SAFE_INTEGER)
    }
    this.#pump()
  }

  #take(peerId: string, vertices: readonly Vertex[]): void {
    for (const vertex of vertices) this.#seen.set(vertex.digest, vertex)
    while (this.#seen.size > 2000) this.#seen.delete(this.#seen.keys().next().value!)
    this.#replica.receive(peerId, vertices)
    this.#pump()
  }

  async #fetch(peerId: string, digests: readonly string[], aboveRound: number): Promise<void> {
    try {
      const answer = await this.network.request(
        peerId,
        protocolIds.vertices,
        encodeVerticesRequest({ aboveRound, digests: digests.slice(0, 64) }),
        2000
      )
      const found: Vertex[] = []
      for (let offset = 0; offset < answer.length; ) {
        const end = offset + 4 + new DataView(answer.buffer, answer.byteOffset).getUint32(offset)
        found.push(decodeVertex(answer.subarray(offset + 4, end)))
        offset = end
      }
      if (!this.#isStopped)
        this.#take(
          peerId,
          found.sort((a, b) => a.header.round - b.header.round)
        )
    } catch {
      // Cut off, or too busy: asked again when it is needed.
    }
    if (this.#isStopped) return
    this.#replica.fetchEnded(peerId, digests)
    this.#pump()
  }

  #pump(): void {
    if (this.#isPumping || this.#isStopped) return
    this.#isPumping = true
    for (let effects = this.#replica.takeEffects(); effects.length > 0; effects = this.#replica.takeEffects())
      for (const effect of effects) this.#perform(effect)
    this.#isPumping = false
  }

  #perform(effect: Effect): void {
    if (effect.kind === 'sign') {
      const vertex = this.sign(this.bend(effect.header), effect.body)
      this.#seen.set(vertex.digest, vertex)
      this.#replica.signed(vertex)
    } else if (effect.kind === 'broadcast') this.tell(effect.vertex)
    else if (effect.kind === 'fetchVertices') void this.#fetch(effect.peer, effect.digests, effect.aboveRound)
    else if (effect.kind === 'fetchCommits') this.#replica.commitsReceived(undefined)
    else if (effect.kind === 'commit')
      this.#replica.executed(effect.commit.index, { ordered: [], eventsSinceCheckpoint: 0 })
  }
}

/** Takes the place of a process of the network: its keys, its address, its friends. */
export async function puppetValidator(
  t: TestContext,
  network: ProcessNetwork,
  place: number
): Promise<PuppetValidator> {
  const folder = network.folders[place]!.path
  const { keysFolder } = dataFolderPaths(folder)
  const store = openKeyStore(keysFolder)
  const password = readFileSync(join(keysFolder, 'password'), 'utf8').trim()
  const [nodeKey, key] = [await store.unlock('node', password), await store.unlock('validator', password)]
  const genesis = parseGenesis(readFileSync(network.devnet.genesisFile, 'utf8'))
  const others = [...network.folders.keys()].filter(other => other !== place)
  const quiet = { debug: () => {}, info: () => {}, warn: () => {} }
  const peers = await Promise.all(others.map(async other => (await network.status(other)).addresses[0]!))
  const ownNetwork = createNetwork({
    secret: nodeKey.exportSecret(),
    listen: [listenAddressOf(folder)],
    announce: [],
    peers,
    peersMax: 32,
    genesis: genesis.cid,
    version: '9.9.9',
    roles: ['validator'],
    logger: quiet
  })
  const author = genesis.committee.validators.findIndex(validator => validator.name === network.folders[place]!.name)
  const puppet = new PuppetValidator({ genesis, author, key, network: ownNetwork })
  t.after(() => puppet.stop())
  await ownNetwork.start()
  puppet.start()
  return puppet
}

function listenAddressOf(folder: string): string {
  const config = readFileSync(join(folder, 'config.toml'), 'utf8')
  return /listen\s*=\s*\[\s*"([^"]+)"/.exec(config)![1]!
}
