import { generateSigningKey, publicKeyToText, type SigningKey } from '../../src/codec/index.ts'
import { type Genesis, signEvent } from '../../src/dag/index.ts'
import type { NodeStatus } from '../../src/node/index.ts'
import { type HttpLane, httpRequest, openLane } from '../http-lane.ts'
import { type BenchNode, pause } from '../network.ts'

const payloadBytes = 200
const accountsPerLane = 32
/** What a submitter with much to say sends at once. */
const eventsPerRequest = 64
const finalTimeoutMs = 60_000

/** What one event is; `accounts` are the texts of all keys of the client, its author's at `place`. */
export type EventMaker = (input: {
  readonly clock: number
  readonly place: number
  readonly accounts: readonly string[]
}) => {
  readonly type: string
  readonly payload: Uint8Array
}

export const makeNote: EventMaker = ({ clock }) => ({
  type: 'note',
  payload: Buffer.alloc(payloadBytes, `${clock} `)
})

/** Accounts of its own for one node, whose events come in turn: the clock of an account allows no gap. */
export class SigningClient {
  readonly #node: BenchNode
  readonly #genesis: Genesis
  readonly #lane: HttpLane
  readonly #accounts: { readonly key: SigningKey; clock: number }[]
  #requests: Buffer[] = []

  constructor(node: BenchNode, genesis: Genesis) {
    this.#node = node
    this.#genesis = genesis
    this.#lane = openLane(node)
    this.#accounts = Array.from({ length: accountsPerLane }, () => ({ key: generateSigningKey(), clock: 0 }))
  }

  get accounts(): readonly string[] {
    return this.#accounts.map(({ key }) => publicKeyToText(key.publicKey))
  }

  /** Signs as many events and makes their requests, account by account in turn. */
  prepare(count: number, make: EventMaker = makeNote): void {
    const { accounts } = this
    const signed = Array.from({ length: count }, (_, index) => {
      const place = index % accountsPerLane
      const account = this.#accounts[place]!
      account.clock++
      const event = signEvent(
        {
          tenantId: '',
          logicalClock: account.clock,
          region: 'local',
          origin: 'bench',
          createdAtMs: Date.now(),
          ...make({ clock: account.clock, place, accounts }),
          author: account.key.publicKey
        },
        account.key,
        this.#genesis.digest
      )
      return Buffer.from(event.bytes).toString('base64')
    })
    this.#requests = []
    for (let start = 0; start < count; start += eventsPerRequest) {
      const body = { signedEvents: signed.slice(start, start + eventsPerRequest) }
      this.#requests.push(httpRequest(this.#node, 'POST', '/v0/events?wait=false', body))
    }
  }

  async sendAll(): Promise<void> {
    for (const request of this.#requests) {
      const [answer] = await this.#lane.send([request])
      const { events } = JSON.parse(answer!.toString()) as { events: readonly { readonly error?: object }[] }
      const refused = events.find(event => event.error !== undefined)
      if (refused !== undefined) throw new Error(`an event was refused: ${JSON.stringify(refused)}`)
    }
  }

  close(): void {
    this.#lane.close()
  }
}

export async function finalEvents({ daemon }: BenchNode): Promise<number> {
  return (await daemon.json<NodeStatus>({ path: '/v0/status' })).events.final
}

export async function untilFinal(node: BenchNode, target: number): Promise<void> {
  for (const endsAtMs = performance.now() + finalTimeoutMs; performance.now() < endsAtMs; await pause(20))
    if ((await finalEvents(node)) >= target) return
  throw new Error(`${node.process.folder.name} did not have all events final after ${finalTimeoutMs} ms`)
}
