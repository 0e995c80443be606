/**
 * A process that owns the nodes of a faulty network, their links and, where it may, a network namespace for each. It is
 * started by faulty-network.ts and ends with it: namespaces, mounts and nodes live no longer than this process.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, cpSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Endpoint, FaultyLinks, type LinkCondition } from './faulty-links.ts'

export type WorldRequest =
  | { readonly kind: 'open'; readonly count: number; readonly seed: number; readonly namespaces: boolean }
  | { readonly kind: 'api'; readonly place: number }
  | { readonly kind: 'start'; readonly place: number; readonly folder: string }
  | { readonly kind: 'signal'; readonly place: number; readonly signal: NodeJS.Signals }
  | { readonly kind: 'links'; readonly changes: readonly LinkChange[] }
  | { readonly kind: 'carried'; readonly from: number; readonly to: number }
  | { readonly kind: 'delays'; readonly from: number; readonly to: number; readonly count: number }
  | { readonly kind: 'limitDisk'; readonly folder: string; readonly sizeBytes: number }
  | { readonly kind: 'fillDisk'; readonly folder: string; readonly leaveBytes: number }
  | { readonly kind: 'freeDisk'; readonly folder: string }

export type LinkChange = { readonly from: number; readonly to: number; readonly change: Partial<LinkCondition> }

/** Where a node listens, and where it finds each of the others: at the proxy. */
export type Site = { readonly listen: Endpoint; readonly api: Endpoint; readonly peers: readonly (Endpoint | null)[] }

export type WorldEvent = {
  readonly kind: 'ended'
  readonly place: number
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

export type WorldMessage =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string }
  | WorldEvent

const launcher = fileURLToPath(new URL('../../bin/blyan-node', import.meta.url))
const ballast = 'ballast'
const outputCharactersKept = 4000

class World {
  readonly #nodes = new Map<number, ChildProcess>()
  readonly #holders: ChildProcess[] = []
  #sites: Site[] = []
  #links: FaultyLinks | undefined
  #namespaces = false

  async perform(request: WorldRequest, handle: Server | undefined): Promise<unknown> {
    switch (request.kind) {
      case 'open':
        return this.#open(request)
      case 'api':
        return this.#forward(handle!, this.#sites[request.place]!.api)
      case 'start':
        return this.#start(request.place, request.folder)
      case 'signal':
        return this.#nodes.get(request.place)?.kill(request.signal)
      case 'links':
        for (const { from, to, change } of request.changes) this.#links!.change(from, to, change)
        return undefined
      case 'carried':
        return this.#links!.carriedBytes(request.from, request.to)
      case 'delays':
        return this.#delays(request)
      case 'limitDisk':
        return limitDisk(request.folder, request.sizeBytes)
      case 'fillDisk':
        return fillDisk(request.folder, request.leaveBytes)
      case 'freeDisk':
        return rmSync(join(request.folder, ballast), { force: true })
    }
  }

  /** Ends once the nodes have, so that nobody writes any more when this process is gone. */
  async end(): Promise<void> {
    const children = [...this.#nodes.values(), ...this.#holders]
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(children.map(child => child.exitCode ?? child.signalCode ?? once(child, 'exit')))
    process.exit(0)
  }

  async #open({ count, seed, namespaces }: Extract<WorldRequest, { kind: 'open' }>): Promise<Site[]> {
    this.#namespaces = namespaces
    const links = new FaultyLinks(seed)
    this.#links = links
    const places = Array.from({ length: count }, (_, place) => place)
    const own = namespaces ? await this.#openNamespaces(count) : await freeEndpoints(count)
    for (const from of places) {
      const peers: (Endpoint | null)[] = []
      for (const to of places) {
        const host = namespaces ? `10.77.${from}.1` : '127.0.0.1'
        peers.push(
          from === to ? null : { host, port: await links.listen(from, to, { host, port: 0 }, () => own[to]!.listen) }
        )
      }
      this.#sites.push({ ...own[from]!, peers })
    }
    return this.#sites
  }

  /** A namespace for each node, with one cable to ours and no route to anywhere else. */
  async #openNamespaces(count: number): Promise<{ listen: Endpoint; api: Endpoint }[]> {
    run('ip', ['link', 'set', 'lo', 'up'])
    const own: { listen: Endpoint; api: Endpoint }[] = []
    for (let place = 0; place < count; place++) {
      const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo there; exec cat'], {
        stdio: ['pipe', 'pipe', 'inherit']
      })
      this.#holders.push(holder)
      await once(holder.stdout!, 'data')
      const inside = ['--target', String(holder.pid), '--net', 'ip']
      run('ip', ['link', 'add', `node${place}`, 'type', 'veth', 'peer', 'name', 'cable', 'netns', String(holder.pid)])
      run('ip', ['address', 'add', `10.77.${place}.1/24`, 'dev', `node${place}`])
      run('ip', ['link', 'set', `node${place}`, 'up'])
      run('nsenter', [...inside, 'link', 'set', 'lo', 'up'])
      run('nsenter', [...inside, 'address', 'add', `10.77.${place}.2/24`, 'dev', 'cable'])
      run('nsenter', [...inside, 'link', 'set', 'cable', 'up'])
      const host = `10.77.${place}.2`
      own.push({ listen: { host, port: 4620 }, api: { host, port: 4630 } })
    }
    return own
  }

  #start(place: number, folder: string): number {
    // Also when this process is killed: the nodes go with it.
    const command = [...(this.#namespaces ? ['setpriv', '--pdeathsig', 'KILL', '--'] : [])]
    if (this.#namespaces) command.unshift('nsenter', '--target', String(this.#holders[place]!.pid), '--net', '--')
    command.push(process.execPath, launcher, 'start', '--data', folder)
    // Not in the folder: its disk may be full when the last words come.
    const file = `${folder}.console.log`
    const output = openSync(file, 'w', 0o600)
    const node = spawn(command[0]!, command.slice(1), { stdio: ['ignore', output, output] })
    closeSync(output)
    this.#nodes.set(place, node)
    node.once('exit', (code, signal) =>
      tell({ kind: 'ended', place, code, signal, output: readFileSync(file, 'utf8').slice(-outputCharactersKept) })
    )
    return node.pid!
  }

  /** Half of each round trip between two nodes, over a connection of its own on their links. */
  async #delays({ from, to, count }: Extract<WorldRequest, { kind: 'delays' }>): Promise<number[]> {
    const echo = createServer({ noDelay: true }, socket => void socket.on('error', () => {}).pipe(socket))
    await once(echo.listen(0, '127.0.0.1'), 'listening')
    const { port } = echo.address() as { port: number }
    const at = await this.#links!.listen(from, to, { host: '127.0.0.1', port: 0 }, () => ({ host: '127.0.0.1', port }))
    const socket = connect({ host: '127.0.0.1', port: at, noDelay: true })
    await once(socket, 'connect')
    const delaysMs: number[] = []
    for (let turn = 0; turn < count; turn++) {
      const startedAtMs = performance.now()
      socket.write('?')
      await once(socket, 'data')
      delaysMs.push((performance.now() - startedAtMs) / 2)
    }
    socket.destroy()
    echo.close()
    return delaysMs
  }

  /** Takes connections made outside of our namespace to an API inside of it. */
  #forward(server: Server, target: Endpoint): void {
    server.on('connection', outside => {
      const inside = connect(target)
      for (const socket of [outside, inside]) socket.on('error', () => {})
      outside.pipe(inside)
      inside.pipe(outside)
      outside.once('close', () => inside.destroy())
      inside.once('close', () => outside.destroy())
    })
  }
}

/** A file system of that size in place of the folder, with what the folder holds. Seen by this process and its nodes. */
function limitDisk(folder: string, sizeBytes: number): void {
  const aside = `${folder}.aside`
  cpSync(folder, aside, { recursive: true, preserveTimestamps: true })
  run('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes},mode=700`, 'tmpfs', folder])
  cpSync(aside, folder, { recursive: true, preserveTimestamps: true })
  rmSync(aside, { recursive: true })
}

function fillDisk(folder: string, leaveBytes: number): void {
  const { bavail, bsize } = statfsSync(folder)
  writeFileSync(join(folder, ballast), Buffer.alloc(Math.max(0, bavail * bsize - leaveBytes), 1))
}

async function freeEndpoints(count: number): Promise<{ listen: Endpoint; api: Endpoint }[]> {
  const servers = Array.from({ length: 2 * count }, () => createServer())
  const endpoints: Endpoint[] = []
  for (const server of servers) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    endpoints.push({ host: '127.0.0.1', port: (server.address() as { port: number }).port })
  }
  for (const server of servers) server.close()
  return Array.from({ length: count }, (_, place) => ({
    listen: endpoints[2 * place]!,
    api: endpoints[2 * place + 1]!
  }))
}

function run(program: string, args: readonly string[]): void {
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

function tell(message: WorldMessage): void {
  if (process.connected) process.send!(message)
}

const world = new World()
process.on('message', ({ id, request }: { id: number; request: WorldRequest }, handle: unknown) => {
  world.perform(request, handle as Server | undefined).then(
    value => tell({ id, value }),
    error => tell({ id, error: error instanceof Error ? error.message : String(error) })
  )
})
// The one that started us is gone, however it went.
process.on('disconnect', () => void world.end())
// Ctrl+C goes to the whole group: the one that started us decides.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void world.end())
