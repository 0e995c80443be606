import { parseGenesis } from '../../src/dag/index.ts'
import { createHandlers } from '../../src/node/event-handlers.ts'
import type { NodeStatus } from '../../src/node/index.ts'
import { cpuSeconds } from '../cpu-time.ts'
import type { BenchNetwork, BenchNode } from '../network.ts'
import { type EventMaker, finalEvents, makeNote, SigningClient, untilFinal } from '../quorum/signing-client.ts'
import type { Options } from '../report.ts'

export type LoadKind = 'notes' | 'transfers'

export type LoadRun = {
  readonly eventsPerSecond: number
  /** Of all threads of a node, for one event; undefined where there is no /proc. */
  readonly cpuMicrosecondsPerNode: number | undefined
}

const fundedUnits = '1000000000000'
const fundingTimeoutMs = 60_000

/** Notes and transfers, signed beforehand by many accounts with coins, through the HTTP API of all nodes alike. */
export class LedgerLoad {
  readonly nodes: readonly BenchNode[]
  readonly #clients: readonly SigningClient[]
  readonly #eventsPerNode: number
  readonly #makers: Readonly<Record<LoadKind, EventMaker>>

  constructor({ nodes, genesisText }: BenchNetwork, { quick }: Options) {
    const genesis = parseGenesis(genesisText)
    const transfer = createHandlers(genesis).get('transfer')
    this.nodes = nodes
    this.#clients = nodes.map(node => new SigningClient(node, genesis))
    this.#eventsPerNode = quick ? 1536 : 4096
    this.#makers = {
      notes: makeNote,
      transfers: ({ clock, place, accounts }) => ({
        type: transfer.type,
        payload: transfer.encodePayload({
          to: accounts[(place + 1 + (clock % (accounts.length - 1))) % accounts.length],
          amount: String(clock),
          memo: `number ${clock}`
        })
      })
    }
  }

  /** Gives every account coins from the account of its node. */
  async fund(): Promise<void> {
    await Promise.all(
      this.nodes.map(async ({ daemon }, at) => {
        const { accounts } = this.#clients[at]!
        for (const [place, to] of accounts.entries())
          await daemon.json({
            method: 'POST',
            path: '/v0/events',
            query: { wait: place === accounts.length - 1, timeoutMs: fundingTimeoutMs },
            body: { type: 'transfer', payload: { to, amount: fundedUnits } },
            timeoutMs: fundingTimeoutMs
          })
      })
    )
  }

  /** From the first byte sent until every node has every event final. Throws when an event was refused. */
  async run(kind: LoadKind): Promise<LoadRun> {
    for (const client of this.#clients) client.prepare(this.#eventsPerNode, this.#makers[kind])
    const count = this.#eventsPerNode * this.nodes.length
    const target = (await finalEvents(this.nodes[0]!)) + count
    const height = await this.#heightOfC()
    const cpuBefore = this.#cpuSeconds()
    const startedAtMs = performance.now()
    await Promise.all(this.#clients.map(client => client.sendAll()))
    await Promise.all(this.nodes.map(node => untilFinal(node, target)))
    const elapsedMs = performance.now() - startedAtMs
    const cpu = this.#cpuSeconds() - cpuBefore
    // The nodes have events of their own besides: there may be more.
    const applied = (await this.#heightOfC()) - height
    if (kind === 'transfers' && applied < count) throw new Error(`${applied} of ${count} transfers were applied`)
    return {
      eventsPerSecond: (count * 1000) / elapsedMs,
      cpuMicrosecondsPerNode: Number.isNaN(cpu) ? undefined : (cpu * 1e6) / (count * this.nodes.length)
    }
  }

  close(): void {
    for (const client of this.#clients) client.close()
  }

  async #heightOfC(): Promise<number> {
    return (await this.nodes[0]!.daemon.json<NodeStatus>({ path: '/v0/status' })).chains.C.height
  }

  #cpuSeconds(): number {
    return this.nodes.reduce((sum, { pid }) => sum + (cpuSeconds(pid) ?? Number.NaN), 0)
  }
}
