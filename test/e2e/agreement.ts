import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { bytesToHex } from '../../src/codec/index.ts'
import { dataFolderPaths } from '../../src/node/index.ts'
import { openDatabase, tableRange } from '../../src/storage/index.ts'
import type { FaultyNetwork } from './faulty-network.ts'
import { until } from './network-of-processes.ts'

const restMs = 20
const noteTimeoutMs = 30_000

/** One client at every node that submits note after note, through whatever happens, and remembers what it was promised. */
export class Load {
  readonly #network: FaultyNetwork
  readonly #final = new Map<string, number>()
  readonly #clients: Promise<void>[]
  #isOn = true
  #failures = 0

  constructor(network: FaultyNetwork) {
    this.#network = network
    this.#clients = network.places.map(place => this.#submit(place))
  }

  /** Events that some node announced as final, by the node asked. */
  finalAt(place: number): number {
    return [...this.#final.values()].filter(at => at === place).length
  }

  get final(): ReadonlySet<string> {
    return new Set(this.#final.keys())
  }

  get failures(): number {
    return this.#failures
  }

  /** Until each of these nodes has told its client of so many more events that they are final. */
  async goesOn(what: string, places: readonly number[], more = 3): Promise<void> {
    const before = places.map(place => this.finalAt(place))
    await until(what, async () => places.every((place, at) => this.finalAt(place) >= before[at]! + more), 90_000)
  }

  async end(): Promise<void> {
    this.#isOn = false
    await Promise.all(this.#clients)
  }

  async #submit(place: number): Promise<void> {
    for (let count = 0; this.#isOn; count++) {
      try {
        const { eventId, final } = await this.#network.note(place, `note ${count} of node ${place}`, noteTimeoutMs)
        if (final) this.#final.set(eventId, place)
      } catch {
        // Dead, stopped or without a quorum: only what was announced as final counts.
        this.#failures++
        await new Promise(resolve => setTimeout(resolve, 5 * restMs))
      }
      await new Promise(resolve => setTimeout(resolve, restMs))
    }
  }
}

/**
 * Ends the load and compares everything: one final order at every node, nothing that was announced is missing, and no
 * disk holds two vertices of one validator for one round. Stops the network.
 */
export async function assertAgreement(t: TestContext, network: FaultyNetwork, load: Load): Promise<void> {
  await load.end()
  t.diagnostic(`${load.final.size} events announced as final, ${load.failures} requests without an answer`)
  const orders = () => Promise.all(network.places.map(place => network.order(place)))
  const isOne = async (): Promise<boolean> => {
    const lengths = (await orders()).map(order => order.length)
    return lengths.every(length => length === lengths[0])
  }
  await until('all nodes have the same events', isOne, 90_000).catch(async error => {
    for (const place of network.places) t.diagnostic(JSON.stringify(await network.status(place).catch(String)))
    throw error
  })
  const [first, ...others] = await orders()
  for (const order of others) assert.deepEqual(order, first)
  const ordered = new Set(first!.map(line => line.split(':')[1]))
  for (const eventId of load.final)
    assert.ok(ordered.has(eventId), `${eventId} was announced as final and is not in the order`)
  await network.stopAll()
  await assertNobodySignedTwice(network.places.map(place => network.folder(place)))
}

/** Every vertex that reached any disk, of every author: one a round. */
export async function assertNobodySignedTwice(folders: readonly string[]): Promise<void> {
  const signed = new Map<string, string>()
  for (const folder of folders) {
    const database = await openDatabase(dataFolderPaths(folder).databaseFolder)
    for await (const [key] of database.range(tableRange('r'))) {
      const slot = bytesToHex(key.subarray(1, 17))
      const digest = bytesToHex(key.subarray(17))
      assert.equal(signed.get(slot) ?? digest, digest, `two vertices in slot ${slot}`)
      signed.set(slot, digest)
    }
    await database.close()
  }
  assert.ok(signed.size > 0)
}
