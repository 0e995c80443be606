/** Answers whose experts are in three other processes, reached over libp2p: how much slower, how well predicted, and the gap when one fails. */
import { type ChildProcess, fork } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { rawCid } from '../../src/codec/index.ts'
import { createEngine, type Engine, type PartFile } from '../../src/experts/index.ts'
import { createReputation } from '../../src/guardian/index.ts'
import { createNetwork, publicKeyOfPeerId } from '../../src/net/index.ts'
import {
  createCallAuditor,
  createExpertCaller,
  createHoldingsBook,
  type HolderCaller
} from '../../src/routing/index.ts'
import { FaultyLinks } from '../../test/e2e/faulty-links.ts'
import { type Options, plain, type Result, rate } from '../report.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import type { HolderTask } from './holder-process.ts'
import { benchArchitecture, writeRandomParts } from './random-model.ts'

const logger = { debug: () => {}, info: () => {}, warn: () => {} }
const architecture = benchArchitecture({ width: 768, expertWidth: 1536, layers: 4, experts: 8, expertsPerToken: 2 })
const holderProgram = fileURLToPath(new URL('./holder-process.ts', import.meta.url))
const genesis = 'bench'
const digest = new Uint8Array(createHash('sha256').update(genesis).digest())
const batch = 8
const tokensMax = 16
const promptTokens = 16
const delayMs = 20

export function measureDistributed(options: Options): Promise<Result[]> {
  return withTemporaryFolder(async folder => {
    options.note('writing a model for three holders')
    const parts = writeRandomParts(folder, architecture)
    const closers: (() => Promise<unknown> | unknown)[] = []
    try {
      return await measure(folder, parts, options, closers)
    } finally {
      for (const close of closers.reverse()) await close()
    }
  })
}

async function measure(
  folder: string,
  parts: readonly PartFile[],
  { quick, note }: Options,
  closers: (() => Promise<unknown> | unknown)[]
): Promise<Result[]> {
  const experts = parts.filter(({ name }) => name.includes('.expert'))
  const links = new FaultyLinks(1)
  closers.push(() => links.close())
  const holders = await Promise.all(
    [0, 1, 2].map(async place => {
      // Each expert at two of the three, so that one may go.
      const held = experts.filter((_, index) => index % 3 === place || (index + 1) % 3 === place)
      const { child, address } = await startHolder(folder, held)
      closers.push(() => end(child))
      return { child, address, slowAddress: await throughLink(links, place, address) }
    })
  )
  const gateway = createEngine({ tensorFolder: folder, threads: 1, logger })
  closers.push(() => gateway.stop())
  await gateway.start()
  const near = await openCaller(holders.map(({ address }) => address))
  closers.push(near.close)
  const far = await openCaller(holders.map(({ slowAddress }) => slowAddress))
  closers.push(far.close)
  let { caller } = near
  await gateway.loadModel({ model: 'home', architecture, parts })
  const trunk = parts.filter(({ name }) => !name.includes('.expert'))
  await gateway.loadModel({ model: 'bench', architecture, parts: trunk, callExperts: call => caller.call(call) })
  for (const one of [near, far]) one.caller.warm(experts.map(({ name }) => tensorOf(name)))

  const home: number[] = []
  const away: number[] = []
  const errors: number[] = []
  const gaps: number[] = []
  const runs = quick ? 3 : 7
  for (let run = -1; run < runs; run++) {
    note(run < 0 ? 'experts elsewhere, warming up' : `experts elsewhere, run ${run + 1}`)
    const one = await answers(gateway, 'home', batch)
    const other = await answers(gateway, 'bench', batch)
    if (run >= 0) {
      home.push(one.tokensPerSecond)
      away.push(other.tokensPerSecond)
    }
  }
  caller = far.caller
  for (const [place] of holders.entries()) delay(links, place, delayMs)
  for (let run = -1; run < runs; run++) {
    note(`experts elsewhere, ${delayMs} ms away`)
    const alone = await answers(gateway, 'home', 1)
    const predicted = planOf(caller, experts, alone.msPerToken).predictedTokensPerSecond
    const measured = await answers(gateway, 'bench', 1)
    if (run >= 0 && predicted !== null) errors.push(Math.abs(1000 / measured.msPerToken - predicted) / predicted)
  }
  caller = near.caller
  for (let run = 0; run < runs; run++) {
    note('a holder is frozen')
    await answers(gateway, 'bench', 1)
    const { child } = holders[run % holders.length]!
    const answer = answers(gateway, 'bench', 1, count => count === 8 && child.kill('SIGSTOP'))
    gaps.push((await answer).longestGapMs)
    child.kill('SIGCONT')
    await new Promise(resolve => setTimeout(resolve, 3000))
  }
  return [
    rate('experts.distributed', 'tokens/s', away, home, `the same ${batch} answers with all experts in one process`),
    plain('experts.plannerError', 'of the prediction', errors),
    plain('experts.failoverGap', 'ms', gaps)
  ]
}

function planOf(caller: HolderCaller, experts: readonly PartFile[], homeMsPerToken: number) {
  return caller.plan({
    elsewhere: experts.map(({ name }) => ({
      layer: Number(/^layer(\d+)/.exec(name)![1]),
      address: { modelBlock: tensorOf(name), tensor: tensorOf(name), width: architecture.width }
    })),
    expertsPerLayer: architecture.experts,
    expertsPerToken: architecture.expertsPerToken,
    layers: architecture.layers,
    homeMsPerToken,
    mode: 'distributed',
    batch: 1
  })
}

type Measured = {
  readonly tokensPerSecond: number
  /** Of the tokens after the first one. */
  readonly msPerToken: number
  readonly longestGapMs: number
}

async function answers(
  engine: Engine,
  model: string,
  count: number,
  onTokens: (count: number) => void = () => {}
): Promise<Measured> {
  const startedAtMs = performance.now()
  let [tokens, longestGapMs, firstAtMs, lastAtMs] = [0, 0, 0, 0]
  await Promise.all(
    Array.from({ length: count }, async (_, seed) => {
      const prompt = Uint32Array.from(
        { length: promptTokens },
        (_value, place) => (seed * 97 + place * 31) % architecture.vocabulary
      )
      const sampling = { temperature: 0, topP: 1, seed: '' }
      const request = { model, tokens: prompt, tokensMax, stopTokens: [], sampling, requestId: `${model}-${seed}` }
      let mine = 0
      let mineAtMs = 0
      for await (const step of engine.generateTokens(request)) {
        const nowMs = performance.now()
        if (mine > 0) longestGapMs = Math.max(longestGapMs, nowMs - mineAtMs)
        else if (firstAtMs === 0) firstAtMs = nowMs
        lastAtMs = mineAtMs = nowMs
        mine += step.tokens.length
        tokens += step.tokens.length
        onTokens(mine)
      }
    })
  )
  const elapsedMs = performance.now() - startedAtMs
  return {
    tokensPerSecond: (tokens * 1000) / elapsedMs,
    msPerToken: (lastAtMs - firstAtMs) / Math.max(1, tokens / count - 1),
    longestGapMs
  }
}

async function openCaller(addresses: readonly string[]) {
  const secret = new Uint8Array(randomBytes(32))
  const own = { announce: [], listen: [], peersMax: 8, genesis, version: '0.0.0', roles: [], logger }
  const network = createNetwork({ ...own, secret, peers: addresses })
  const nothing = { account: null, priceUnitsPer1000Rows: 0n, score: 0, openCalls: 0, tensors: [] }
  const holdings = createHoldingsBook({ network, logger, own: () => nothing })
  const reputation = createReputation()
  const auditor = createCallAuditor({
    network: digest,
    gateway: network.peerId,
    secret: new Uint8Array(randomBytes(32)),
    reputation,
    keyOfPeer: publicKeyOfPeerId,
    recompute: async () => undefined,
    lastWord: async () => undefined,
    ask: (recheck, whom, signal) => caller.ask(recheck, whom, signal),
    nowMs: () => performance.now(),
    logger
  })
  const caller: HolderCaller = createExpertCaller({
    network,
    holdings,
    reputation,
    auditor,
    logger,
    home: {
      resolve: (_model, layer, expert) => {
        const tensor = tensorOf(`layer${layer}.expert${expert}`)
        return { modelBlock: tensor, tensor, width: architecture.width }
      },
      computeAtHome: async () => {
        throw new Error('nothing is at home')
      }
    }
  })
  await network.start()
  for (const endsAtMs = performance.now() + 20_000; caller.holders().length < addresses.length; ) {
    if (performance.now() > endsAtMs) throw new Error('the holders are not known in time')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  const close = async (): Promise<void> => {
    caller.stop()
    await auditor.stop()
    holdings.stop()
    await network.stop()
  }
  return { caller, close }
}

async function startHolder(
  folder: string,
  parts: readonly PartFile[]
): Promise<{ child: ChildProcess; address: string }> {
  const child = fork(holderProgram, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const tensors = parts.map(({ name }) => [tensorOf(name), name] as const)
  const task: HolderTask = { folder, genesis, digest: [...digest], architecture, parts, tensors }
  child.send(task)
  const [{ address }] = (await once(child, 'message')) as [{ address: string }]
  return { child, address }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGCONT')
  child.disconnect()
  await once(child, 'exit')
}

/** The address of a proxy before a holder. */
async function throughLink(links: FaultyLinks, place: number, address: string): Promise<string> {
  const port = Number(/tcp\/(\d+)/.exec(address)![1])
  const at = { host: '127.0.0.1', port: 0 }
  const proxied = await links.listen(99, place, at, () => ({ host: '127.0.0.1', port }))
  return address.replace(`tcp/${port}`, `tcp/${proxied}`)
}

function delay(links: FaultyLinks, place: number, oneWayMs: number): void {
  links.change(99, place, { delayMs: oneWayMs })
  links.change(place, 99, { delayMs: oneWayMs })
}

/** A name like that of a tensor; who computes here does not look behind it. */
function tensorOf(name: string): string {
  return rawCid(createHash('sha256').update(name).digest()).toString()
}
