import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectToDaemon, type DaemonClient } from '../../src/cli/daemon-client.ts'
import { prepareDevnet } from '../../src/cli/devnet/folders.ts'
import {
  dataFolderPaths,
  type EventLine,
  type FlagValues,
  importInitialise,
  type NodeStatus,
  readApiAddress,
  type SubmittedEvent
} from '../../src/node/index.ts'
import type { LinkCondition } from './faulty-links.ts'
import type { LinkChange, Site, WorldEvent, WorldMessage, WorldRequest } from './faulty-world.ts'
import { quietEconomy } from './network-of-processes.ts'

export type FaultyNetworkInput = {
  readonly root: string
  readonly validators: number
  readonly learners?: number
  readonly seed: number
  /** Namespaces where this machine allows them, unless told otherwise. */
  readonly namespaces?: boolean
}

type Ended = Omit<WorldEvent, 'kind' | 'place'>

const world = fileURLToPath(new URL('./faulty-world.ts', import.meta.url))
const readyMs = 60_000
const pollEveryMs = 50

/** How to get namespaces of one's own here: as root, or as the root of a user namespace; undefined where neither goes. */
export function namespaceCommand(): readonly string[] | undefined {
  const probe =
    'ip link add probe0 type veth peer name probe1 && mount -t tmpfs none /mnt && command -v nsenter setpriv'
  return [
    ['unshare', '--net', '--mount'],
    ['unshare', '--user', '--map-root-user', '--net', '--mount']
  ].find(([program, ...args]) => spawnSync(program!, [...args, 'sh', '-c', probe], { stdio: 'ignore' }).status === 0)
}

/** Real processes that reach each other only through links that can fail, and go when this process goes. */
export class FaultyNetwork {
  readonly hasNamespaces: boolean
  readonly genesisFile: string
  readonly #process: ChildProcess
  readonly #root: string
  readonly #folders: readonly string[]
  readonly #answers = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #ended: (PromiseWithResolvers<Ended> | undefined)[] = []
  readonly #pids: number[] = []
  readonly #apiUrls: string[] = []
  #lastId = 0

  private constructor(
    process: ChildProcess,
    root: string,
    folders: readonly string[],
    genesisFile: string,
    namespaces: boolean
  ) {
    this.#process = process
    this.#root = root
    this.#folders = folders
    this.genesisFile = genesisFile
    this.hasNamespaces = namespaces
    process.on('message', message => this.#take(message as WorldMessage))
    process.once('exit', () => {
      for (const answer of this.#answers.values()) answer.reject(new Error('the process of the links is gone'))
    })
  }

  /** Makes the folders and the links; starts no node. */
  static async open(input: FaultyNetworkInput): Promise<FaultyNetwork> {
    const devnet = await prepareDevnet({
      root: join(input.root, 'net'),
      validators: input.validators,
      learners: input.learners ?? 0,
      economy: quietEconomy
    })
    const command = input.namespaces === false ? undefined : namespaceCommand()
    const [program, ...args] = [...(command ?? []), process.execPath, world]
    const child = spawn(program!, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const folders = devnet.folders.map(({ path }) => path)
    const network = new FaultyNetwork(child, input.root, folders, devnet.genesisFile, command !== undefined)
    try {
      await network.#open(input)
    } catch (error) {
      await network.close()
      throw error
    }
    return network
  }

  get places(): number[] {
    return [...this.#folders.keys()]
  }

  /** A node's data folder as this process sees it: a limited disk is there only in the world of the nodes. */
  folder(place: number): string {
    return this.hasNamespaces ? join(`/proc/${this.#process.pid}/root`, this.#folders[place]!) : this.#folders[place]!
  }

  pid(place: number): number {
    return this.#pids[place]!
  }

  async start(...places: number[]): Promise<void> {
    for (const place of places) await this.launch(place)
    await Promise.all(places.map(place => this.ready(place)))
  }

  /** Starts without waiting until it is ready. */
  async launch(place: number): Promise<void> {
    this.#ended[place] = Promise.withResolvers()
    this.#pids[place] = (await this.#ask({ kind: 'start', place, folder: this.#folders[place]! })) as number
  }

  async ready(place: number): Promise<void> {
    for (const endsAtMs = performance.now() + readyMs; performance.now() < endsAtMs; ) {
      const state = await Promise.race([this.#isReady(place), this.ended(place)])
      if (state === true) return
      if (typeof state === 'object') throw new Error(`node ${place} ended with ${state.code}: ${state.output}`)
      await new Promise(resolve => setTimeout(resolve, pollEveryMs))
    }
    throw new Error(`node ${place} is not ready after ${readyMs} ms`)
  }

  ended(place: number): Promise<Ended> {
    return this.#ended[place]!.promise
  }

  signal(place: number, signal: NodeJS.Signals): Promise<unknown> {
    return this.#ask({ kind: 'signal', place, signal })
  }

  async kill(...places: number[]): Promise<void> {
    await Promise.all(places.map(place => this.signal(place, 'SIGKILL')))
    await Promise.all(places.map(place => this.ended(place)))
  }

  async stopAll(): Promise<void> {
    const running = this.places.filter(place => this.#ended[place] !== undefined)
    await Promise.all(running.map(place => this.signal(place, 'SIGTERM')))
    await Promise.all(running.map(place => this.ended(place)))
  }

  /** Ends nodes, links and namespaces at once. */
  async close(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect()
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, 'exit')
  }

  async change(changes: readonly LinkChange[]): Promise<void> {
    await this.#ask({ kind: 'links', changes })
  }

  /** The same condition for every link. */
  changeAll(change: Partial<LinkCondition>): Promise<void> {
    return this.change(this.#pairs().map(pair => ({ ...pair, change })))
  }

  /** Nothing passes between `group` and the others. */
  separate(group: readonly number[], state: 'held' | 'cut'): Promise<void> {
    const apart = this.#pairs().filter(({ from, to }) => group.includes(from) !== group.includes(to))
    return this.change(apart.map(pair => ({ ...pair, change: { state } })))
  }

  /** What `place` sends stays away from everybody; what they send arrives. */
  silence(place: number): Promise<void> {
    const away = this.#pairs().filter(({ from }) => from === place)
    return this.change(away.map(pair => ({ ...pair, change: { state: 'held' as const } })))
  }

  heal(): Promise<void> {
    return this.changeAll({ state: 'open' })
  }

  async carriedBytes(from: number, to: number): Promise<number> {
    return (await this.#ask({ kind: 'carried', from, to })) as number
  }

  /** One-way delays between the first two nodes, as they are. */
  async measureDelays(count: number): Promise<number[]> {
    return (await this.#ask({ kind: 'delays', from: 0, to: 1, count })) as number[]
  }

  /** Gives a node that does not run a small disk of its own; only where there are namespaces. */
  async limitDisk(place: number, sizeBytes: number): Promise<void> {
    await this.#ask({ kind: 'limitDisk', folder: this.#folders[place]!, sizeBytes })
  }

  async fillDisk(place: number, leaveBytes: number): Promise<void> {
    await this.#ask({ kind: 'fillDisk', folder: this.#folders[place]!, leaveBytes })
  }

  async freeDisk(place: number): Promise<void> {
    await this.#ask({ kind: 'freeDisk', folder: this.#folders[place]! })
  }

  /** Writes settings into a node's configuration. */
  async configure(place: number, settings: FlagValues): Promise<void> {
    const { initialiseDataFolder } = await importInitialise()
    const password = { passwordFile: null }
    await initialiseDataFolder({ path: this.#folders[place]!, genesis: null, settings, env: {}, password })
  }

  daemon(place: number): Promise<DaemonClient> {
    return connectToDaemon(dataFolderPaths(this.#clientFolder(place)))
  }

  apiUrl(place: number): string {
    return this.#apiUrls[place]!
  }

  async status(place: number): Promise<NodeStatus> {
    return (await this.daemon(place)).json<NodeStatus>({ path: '/v0/status', timeoutMs: 5000 })
  }

  async note(place: number, text: string, timeoutMs = 20_000): Promise<SubmittedEvent> {
    return (await this.daemon(place)).json<SubmittedEvent>({
      method: 'POST',
      path: '/v0/events',
      query: { wait: true, timeoutMs },
      body: { type: 'note', payload: text },
      timeoutMs: timeoutMs + 5000
    })
  }

  /** The final order as one node tells it. */
  async order(place: number): Promise<string[]> {
    const lines: string[] = []
    for await (const line of (await this.daemon(place)).lines<EventLine>({
      path: '/v0/events',
      query: { from: 1, limit: 100_000 }
    }))
      lines.push(`${line.sequence}:${line.eventId}`)
    return lines
  }

  async #open({ seed }: FaultyNetworkInput): Promise<void> {
    const request = { kind: 'open' as const, count: this.#folders.length, seed, namespaces: this.hasNamespaces }
    const sites = (await this.#ask(request)) as Site[]
    const genesis = JSON.parse(readFileSync(this.genesisFile, 'utf8')) as { validators: { peerId: string }[] }
    const peerIds = genesis.validators.map(({ peerId }) => peerId)
    for (const [place, site] of sites.entries()) {
      const peers = site.peers.flatMap((at, to) =>
        at === null || peerIds[to] === undefined ? [] : [`/ip4/${at.host}/tcp/${at.port}/p2p/${peerIds[to]}`]
      )
      await this.configure(place, {
        'network.listen': [`/ip4/${site.listen.host}/tcp/${site.listen.port}`],
        'network.peers': peers,
        'api.host': site.api.host,
        'api.port': site.api.port
      })
      this.#apiUrls.push(this.hasNamespaces ? await this.#bringOut(place) : `http://${site.api.host}:${site.api.port}`)
    }
  }
  /** An address out here that leads to a node's API in there. */
  async #bringOut(place: number): Promise<string> {
    const server = createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await this.#ask({ kind: 'api', place }, server)
    server.close()
    return `http://127.0.0.1:${port}`
  }

  /** A folder for clients of a node: its own, or one that names the address out here. */
  #clientFolder(place: number): string {
    if (!this.hasNamespaces) return this.#folders[place]!
    const own = dataFolderPaths(this.folder(place))
    const client = dataFolderPaths(join(this.#root, 'clients', String(place)))
    mkdirSync(client.root, { recursive: true })
    try {
      const address = { ...JSON.parse(readFileSync(own.apiFile, 'utf8')), url: this.#apiUrls[place] }
      writeFileSync(client.apiFile, JSON.stringify(address))
      copyFileSync(own.apiTokenFile, client.apiTokenFile)
    } catch {
      rmSync(client.apiFile, { force: true })
    }
    return client.root
  }

  async #isReady(place: number): Promise<boolean> {
    try {
      const address = await readApiAddress(dataFolderPaths(this.#clientFolder(place)))
      if (address?.pid !== this.#pids[place]) return false
      return (await fetch(new URL('/readyz', address!.url), { signal: AbortSignal.timeout(2000) })).ok
    } catch {
      return false
    }
  }

  #pairs(): { from: number; to: number }[] {
    return this.places.flatMap(from => this.places.filter(to => to !== from).map(to => ({ from, to })))
  }

  #ask(request: WorldRequest, handle?: Server): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>()
    const id = ++this.#lastId
    this.#answers.set(id, answer)
    this.#process.send({ id, request }, handle, undefined, error => {
      if (error) answer.reject(error)
    })
    return answer.promise.finally(() => this.#answers.delete(id))
  }

  #take(message: WorldMessage): void {
    if ('kind' in message) this.#ended[message.place]?.resolve(message)
    else if ('error' in message) this.#answers.get(message.id)?.reject(new Error(message.error))
    else this.#answers.get(message.id)?.resolve(message.value)
  }
}
