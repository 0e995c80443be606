import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { findProgram, freePorts, untilDone, withPrograms } from './programs.ts'
import type { System, SystemOpener } from './system.ts'

const validators = 4
const batch = 50
const batchesInFlight = 4

/**
 * Four validators with the kvstore application. Set for low latency: no pause after a block, no empty blocks, gossip every
 * 10 ms; and with room for all transactions of a run. Nothing checks a signature for each transaction here.
 */
export const cometbft: SystemOpener = {
  name: 'cometbft',
  install: 'go install github.com/cometbft/cometbft/cmd/cometbft@latest',
  isHere: () => findProgram('cometbft') !== undefined,
  async open(folder, work) {
    const program = findProgram('cometbft')!
    const root = join(folder, 'cometbft')
    execFileSync(program, ['testnet', '--v', String(validators), '--o', root, '--populate-persistent-peers=false'], {
      stdio: 'ignore'
    })
    const homes = Array.from({ length: validators }, (_, place) => join(root, `node${place}`))
    const ports = await freePorts(2 * validators)
    const peers = homes.map((home, place) => {
      const id = execFileSync(program, ['show-node-id', '--home', home], { encoding: 'utf8' }).trim()
      return `${id}@127.0.0.1:${ports[2 * place]}`
    })
    for (const [place, home] of homes.entries())
      configure(
        home,
        ports[2 * place]!,
        ports[2 * place + 1]!,
        peers.filter(peer => peer !== peers[place])
      )
    const programs = homes.map(home => ({
      logFile: `${home}.log`,
      args: ['start', '--home', home, '--proxy_app', 'kvstore', '--log_level', 'error']
    }))
    return withPrograms(program, programs, async ({ pids }) => {
      const network = new CometNetwork(
        homes.map((_, place) => `http://127.0.0.1:${ports[2 * place + 1]}`),
        pids
      )
      try {
        await untilDone('CometBFT commits', () => network.write(Buffer.from('ready')))
        return await work(network)
      } finally {
        network.close()
      }
    })
  }
}

function configure(home: string, peerPort: number, rpcPort: number, peers: readonly string[]): void {
  const file = join(home, 'config', 'config.toml')
  const changes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    rpc: { laddr: `"tcp://127.0.0.1:${rpcPort}"`, max_request_batch_size: '100', max_body_bytes: '10000000' },
    p2p: { laddr: `"tcp://127.0.0.1:${peerPort}"`, persistent_peers: `"${peers.join(',')}"`, pex: 'false' },
    mempool: { size: '100000', cache_size: '200000' },
    consensus: { timeout_commit: '"0s"', create_empty_blocks: 'false', peer_gossip_sleep_duration: '"10ms"' }
  }
  let section = ''
  const lines = readFileSync(file, 'utf8').split('\n')
  const changed = lines.map(line => {
    section = /^\[(\w+)\]/.exec(line)?.[1] ?? section
    const name = /^(\w+) = /.exec(line)?.[1] ?? ''
    const value = changes[section]?.[name]
    return value === undefined ? line : `${name} = ${value}`
  })
  writeFileSync(file, changed.join('\n'))
}

type Block = { readonly header: { readonly height: string }; readonly num_txs: string }
type Chain = { readonly last_height: string; readonly block_metas: readonly Block[] }

class CometNetwork implements System {
  readonly pids: readonly number[]
  readonly #urls: readonly string[]
  readonly #agent = new Agent({ keepAlive: true })
  #written = 0

  constructor(urls: readonly string[], pids: readonly number[]) {
    this.#urls = urls
    this.pids = pids
  }

  async write(value: Buffer): Promise<void> {
    const [answer] = await this.#call(this.#written % validators, 'broadcast_tx_commit', [this.#transaction(value)])
    if ((answer as { tx_result: { code: number } }).tx_result.code !== 0)
      throw new Error('CometBFT refused a transaction')
  }

  async writeAll(values: readonly Buffer[]): Promise<void> {
    const before = await this.#height(0)
    const transactions = values.map(value => this.#transaction(value))
    let next = 0
    const client = async (place: number): Promise<void> => {
      while (next < transactions.length) {
        const start = next
        next += batch
        await this.#call(place, 'broadcast_tx_sync', transactions.slice(start, start + batch))
      }
    }
    await Promise.all(Array.from({ length: validators * batchesInFlight }, (_, turn) => client(turn % validators)))
    let height = before
    for (let left = values.length; left > 0; await new Promise(resolve => setTimeout(resolve, 10))) {
      for (const block of await this.#blocksAfter(height)) {
        height++
        left -= Number(block.num_txs)
      }
    }
    for (let place = 1; place < validators; place++)
      while ((await this.#height(place)) < height) await new Promise(resolve => setTimeout(resolve, 5))
  }

  close(): void {
    this.#agent.destroy()
  }

  /** The kvstore takes `key=value`; the key is what makes it one of its own. */
  #transaction(value: Buffer): string {
    const key = `${this.#written++}=`
    return Buffer.concat([Buffer.from(key), value.subarray(Math.min(key.length, value.length - 1))]).toString('base64')
  }

  async #height(place: number): Promise<number> {
    const [status] = await this.#ask(place, [{ method: 'status', params: {} }])
    return Number((status as { sync_info: { latest_block_height: string } }).sync_info.latest_block_height)
  }

  async #blocksAfter(height: number): Promise<Block[]> {
    const params = { minHeight: String(height + 1), maxHeight: String(height + 20) }
    if ((await this.#height(0)) <= height) return []
    const [chain] = await this.#ask(0, [{ method: 'blockchain', params }])
    return [...(chain as Chain).block_metas].sort((a, b) => Number(a.header.height) - Number(b.header.height))
  }

  #call(place: number, method: string, transactions: readonly string[]): Promise<unknown[]> {
    return this.#ask(
      place,
      transactions.map(tx => ({ method, params: { tx } }))
    )
  }

  #ask(place: number, calls: readonly { method: string; params: object }[]): Promise<unknown[]> {
    const body = JSON.stringify(calls.map((call, id) => ({ jsonrpc: '2.0', id, ...call })))
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const sent = request(this.#urls[place]!, { method: 'POST', agent: this.#agent, headers }, answer => {
        const chunks: Buffer[] = []
        answer.on('data', chunk => chunks.push(chunk as Buffer))
        answer.on('error', reject)
        answer.on('end', () => {
          try {
            resolve(resultsOf(Buffer.concat(chunks).toString()))
          } catch (error) {
            reject(error)
          }
        })
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }
}

function resultsOf(text: string): unknown[] {
  const parsed = JSON.parse(text) as object
  return (Array.isArray(parsed) ? parsed : [parsed]).map(({ result, error }) => {
    if (error !== undefined) throw new Error(`CometBFT answered ${JSON.stringify(error)}`)
    return result
  })
}
