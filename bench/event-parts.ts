// node bench/event-parts.ts [--json]: where the microseconds of one event go on one validator, part by part, in this process alone.
import { join } from 'node:path'
import { createSignaturePool, generateSigningKey, type SigningKey, verifySignatureSync } from '../src/codec/index.ts'
import {
  type Commit,
  commitDigest,
  createVertexStore,
  decodeVertex,
  encodeCommit,
  encodeVertex,
  type Vertex
} from '../src/consensus/index.ts'
import { noteHandler, openChains, type SignedEvent, signEvent } from '../src/dag/index.ts'
import { openDatabase } from '../src/storage/index.ts'
import { vertexOf } from '../test/consensus/dag-builder.ts'
import { registry, SmallNetwork } from '../test/dag/small-network.ts'
import { withTemporaryFolder } from './temporary-folder.ts'

const validators = 4
const eventsPerVertex = 75
const accounts = 128
const commits = 120
const warmUpCommits = 40

type Parts = Record<string, number[]>
const parts: Parts = {}

await withTemporaryFolder(async folder => {
  const { genesis } = new SmallNetwork()
  const signatures = createSignaturePool()
  const database = await openDatabase(join(folder, 'db'))
  const vertices = createVertexStore(database)
  const logger = { info: () => {}, warn: () => {}, debug: () => {}, error: () => {} }
  const snapshots = { folder: join(folder, 'snapshots'), everyCommits: 1_000_000, logger }
  const chains = await openChains({ genesis, handlers: registry, database, vertices, signatures, snapshots })
  const keys = Array.from({ length: accounts }, () => generateSigningKey())
  const clocks = new Map<SigningKey, number>()
  let previous = genesis.digestHex
  for (let index = 1; index <= commits; index++) {
    const made = Array.from({ length: validators }, (_, author) => makeVertex(index, author))
    const events = made.flatMap(({ events }) => events)
    const wire = made.map(({ vertex }) => encodeVertex(vertex))
    const received = await measure('vertex: read, hash of its body', events.length, () =>
      wire.map(bytes => decodeVertex(bytes))
    )
    const verdicts = await measure('events: decode, have verified', events.length, () =>
      Promise.all(received.map(vertex => chains.checkEvents(vertex)))
    )
    if (verdicts.includes(false)) throw new Error('a right event was refused')
    const commit: Commit = {
      index,
      round: index * 2,
      previous,
      timestampMs: genesis.timeMs + index * 100,
      vertices: received.map(({ digest, header }) => ({ digest, round: header.round, author: header.author }))
    }
    const bytes = encodeCommit(commit)
    previous = commitDigest(bytes)
    const executed = await measure('execute: clocks, handlers, state, records', events.length, () =>
      chains.execute({ commit, digest: previous, vertices: received })
    )
    await measure('store: vertices, events, order, state', events.length, () =>
      database.write(
        [
          ...received.flatMap(vertex => vertices.writesOf(vertex)),
          vertices.commitWrite(commit, bytes),
          ...executed.writes
        ],
        { durable: false }
      )
    )
    executed.announce()
    await measure('(for comparison) verify on the calling thread', 64, () => {
      for (const { envelope, signature } of events.slice(0, 64))
        verifySignatureSync(envelope.author, envelope.payload, signature)
    })
  }
  await signatures.close()
  await chains.snapshots.close()
  await database.close()

  function makeVertex(index: number, author: number): { vertex: Vertex; events: SignedEvent[] } {
    const events = Array.from({ length: eventsPerVertex }, (_, place) => {
      const key = keys[(index * validators * eventsPerVertex + author * eventsPerVertex + place) % accounts]!
      const logicalClock = (clocks.get(key) ?? 0) + 1
      clocks.set(key, logicalClock)
      const payload = Buffer.alloc(200, `${logicalClock} `)
      const rest = {
        tenantId: '',
        region: 'local',
        origin: 'bench',
        createdAtMs: genesis.timeMs,
        type: noteHandler.type
      }
      return signEvent({ ...rest, logicalClock, payload, author: key.publicKey }, key, genesis.digest)
    })
    const vertex = vertexOf({ author, round: index * 2, parents: [], events: events.map(({ bytes }) => bytes) })
    return { vertex, events }
  }
})

/** Notes what `work` takes of this thread and of the whole process, for one event. */
async function measure<T>(name: string, count: number, work: () => T | Promise<T>): Promise<T> {
  const [ownBefore, allBefore] = [process.threadCpuUsage(), process.cpuUsage()]
  const result = await work()
  const [own, all] = [process.threadCpuUsage(ownBefore), process.cpuUsage(allBefore)]
  const [ofThread, ofProcess] = [`${name}|thread`, `${name}|process`]
  parts[ofThread] ??= []
  parts[ofProcess] ??= []
  parts[ofThread].push((own.user + own.system) / count)
  parts[ofProcess].push((all.user + all.system) / count)
  return result
}

/** The lower quartile: what others on the machine add is left out as far as it can be. */
const rows = Object.entries(parts).map(([name, values]) => {
  const sorted = values.slice(warmUpCommits).sort((a, b) => a - b)
  return { name, microseconds: Number(sorted[sorted.length >> 2]!.toFixed(2)) }
})
if (process.argv.includes('--json')) console.log(JSON.stringify(rows))
else for (const { name, microseconds } of rows) console.log(`${microseconds.toFixed(1).padStart(8)} us  ${name}`)
