import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { importSigningKey } from '../../src/codec/index.ts'
import { type Genesis, parseGenesis } from '../../src/dag/index.ts'
import { createNetwork, type Network } from '../../src/net/index.ts'
import { dataFolderPaths, readApiToken } from '../../src/node/index.ts'
import { createCommitter, createExpertHolder, createHoldingsBook } from '../../src/routing/index.ts'
import { FaultyNetwork } from './faulty-network.ts'
import { scratchFolder, until } from './network-of-processes.ts'

const holders = [1, 2, 3]
const tokens = 60
const faultAfterTokens = 15
/** Structural: far above what is reached, far below what a call may take before it is given up. */
const gapMsMax = 10_000
const silent = { debug: () => {}, info: () => {}, warn: () => {} }

type Holder = { readonly peerId: string; readonly experts: number; readonly standing: string }
type Notes = {
  readonly holders?: readonly { readonly peerId: string; readonly calls: number; readonly rows: number }[]
}
type Answer = { readonly text: string; readonly longestGapMs: number; readonly firstMs: number; readonly notes: Notes }

/** Each expert at two of the three. */
function held(place: number, genesis: Genesis): string[] {
  const names = expertsOf(genesis).map(({ name }) => name)
  return names.filter((_, index) => index % 3 === place - 1 || (index + 1) % 3 === place - 1)
}

function expertsOf(genesis: Genesis) {
  return genesis.file.model.parts.filter(({ name }) => name.includes('.expert'))
}

async function listHolders(network: FaultyNetwork): Promise<Holder[]> {
  return (await (await network.daemon(0)).json<{ holders: Holder[] }>({ path: '/v0/holders' })).holders
}

/** Asks the gateway as any client would; `onTokens` hears how many pieces came. */
async function ask(network: FaultyNetwork, mode: string, onPiece: (count: number) => void = () => {}): Promise<Answer> {
  const token = await readApiToken(dataFolderPaths(network.folder(0)))
  const startedAtMs = performance.now()
  const response = await fetch(new URL('/v1/chat/completions', network.apiUrl(0)), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model: 'genesis',
      messages: [{ role: 'user', content: 'Who owns it?' }],
      max_tokens: tokens,
      temperature: 0,
      stream: true,
      blyan: { mode }
    }),
    signal: AbortSignal.timeout(60_000)
  })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  let [text, notes, rest, pieces] = ['', {} as Notes, '', 0]
  let [lastMs, longestGapMs, firstMs] = [performance.now(), 0, 0]
  const decoder = new TextDecoder()
  for await (const bytes of response.body!) {
    rest += decoder.decode(bytes, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop()!
    for (const line of lines) {
      if (!line.startsWith('data: {')) continue
      const chunk = JSON.parse(line.slice(6))
      if (chunk.error !== undefined) throw new Error(JSON.stringify(chunk.error))
      if (chunk.blyan !== undefined) notes = chunk.blyan
      const piece = chunk.choices?.[0]?.delta?.content ?? ''
      if (piece === '') continue
      const nowMs = performance.now()
      if (pieces++ === 0) firstMs = nowMs - startedAtMs
      else longestGapMs = Math.max(longestGapMs, nowMs - lastMs)
      lastMs = nowMs
      text += piece
      onPiece(pieces)
    }
  }
  return { text, notes, longestGapMs, firstMs }
}

/** A peer of the network that says it holds every expert, signs what it answers, and answers nonsense. */
async function startLiar(
  t: TestContext,
  genesis: Genesis,
  gateway: string
): Promise<{ network: Network; answered(): number }> {
  const secret = new Uint8Array(randomBytes(32))
  const key = importSigningKey('ed25519', secret)
  const input = { secret, listen: ['/ip4/127.0.0.1/tcp/0'], announce: [], peers: [gateway], peersMax: 4 }
  const network = createNetwork({ ...input, genesis: genesis.cid, version: '0.0.0', roles: [], logger: silent })
  const tensors = expertsOf(genesis).map(({ tensor }) => tensor)
  const names = new Map(expertsOf(genesis).map(({ name, tensor }) => [tensor, name]))
  const { width } = genesis.file.model.architecture as { width: number }
  let answered = 0
  const holdings = createHoldingsBook({
    network,
    logger: silent,
    own: () => ({ account: null, priceUnitsPer1000Rows: 0n, score: 0, openCalls: 0, tensors })
  })
  const holder = createExpertHolder({
    network,
    logger: silent,
    expertOf: tensor => (names.has(tensor) ? { model: 'genesis', name: names.get(tensor)!, width } : undefined),
    runExperts: async ({ loads }) => {
      answered++
      return loads.map(({ rows }) => rows.map(value => value * 0.5 + 0.1))
    },
    committerFor: peer => createCommitter({ key, network: genesis.digest, gateway: peer, arithmetic: () => 'float' })
  })
  await network.start()
  t.after(async () => {
    holdings.stop()
    holder.stop()
    await network.stop()
  })
  return { network, answered: () => answered }
}

test('an answer goes on, and says the same, when a holder is slow, cut off, frozen, lying or killed in its midst', {
  timeout: 240_000
}, async t => {
  const network = await FaultyNetwork.open({
    root: scratchFolder(t),
    validators: 4,
    seed: 5,
    namespaces: false
  })
  t.after(() => network.close())
  const genesis = parseGenesis(readFileSync(network.genesisFile, 'utf8'))
  await network.configure(0, { 'experts.hold': ['none'] })
  for (const place of holders) await network.configure(place, { 'experts.hold': held(place, genesis) })
  await network.start(0, 1, 2, 3)
  const allFit = async (): Promise<boolean> => {
    const fit = (await listHolders(network)).filter(({ standing }) => standing === 'good' || standing === 'probation')
    return fit.filter(({ experts }) => experts > 0).length >= holders.length
  }
  await until('the gateway knows all three holders', allFit, 60_000)

  const whole = await ask(network, 'standard')
  const calm = await ask(network, 'distributed')
  assert.ok(whole.text.length > 0)
  assert.equal(calm.text, whole.text)
  assert.ok((calm.notes.holders?.length ?? 0) >= 2, 'more than one holder computed')
  console.log(
    `undisturbed: first token after ${calm.firstMs.toFixed(0)} ms, longest gap ${calm.longestGapMs.toFixed(0)} ms`
  )

  const links = (place: number, change: object) =>
    network.change([
      { from: 0, to: place, change },
      { from: place, to: 0, change }
    ])
  const peerIds = await Promise.all(
    holders.map(async place => (await network.status(place)).addresses[0]!.split('/p2p/')[1])
  )
  /** Who computed most is who is missed most. */
  const busiest = ({ notes }: Answer): number => {
    const most = (notes.holders ?? []).toSorted((a, b) => b.rows - a.rows)[0]
    return holders[peerIds.indexOf(most?.peerId ?? '')]!
  }
  type Fault = (place: number) => Promise<unknown>
  const faults: { readonly name: string; readonly make: Fault; readonly mend: Fault }[] = [
    { name: 'slow', make: place => links(place, { delayMs: 300 }), mend: place => links(place, { delayMs: 0 }) },
    { name: 'cut off', make: place => links(place, { state: 'cut' }), mend: place => links(place, { state: 'open' }) },
    { name: 'silent', make: place => links(place, { state: 'held' }), mend: place => links(place, { state: 'open' }) },
    {
      name: 'frozen',
      make: place => network.signal(place, 'SIGSTOP'),
      mend: place => network.signal(place, 'SIGCONT')
    },
    { name: 'killed', make: place => network.kill(place), mend: async () => {} }
  ]
  let before = calm
  for (const { name, make, mend } of faults) {
    await until(`all holders are fit before one is ${name}`, allFit, 30_000)
    const victim = busiest(before)
    let made: Promise<unknown> | undefined
    const answer = await ask(network, 'distributed', count => {
      if (count === faultAfterTokens) made = make(victim)
    })
    await made
    await mend(victim)
    assert.ok(made !== undefined, `${name}: the answer was over before it`)
    assert.equal(answer.text, whole.text, name)
    const shares = answer.notes.holders ?? []
    assert.ok(
      shares.some(({ peerId }) => peerId === peerIds[victim - 1]),
      `${name}: it had computed before`
    )
    assert.ok(answer.longestGapMs < gapMsMax, `${name}: ${answer.longestGapMs}`)
    console.log(`${name}: the same text, longest gap ${answer.longestGapMs.toFixed(0)} ms`)
    before = answer
  }

  const address = (await network.status(0)).addresses.find(one => one.includes('127.0.0.1'))!
  const liar = await startLiar(t, genesis, address)
  await until('the liar is known', async () =>
    (await listHolders(network)).some(one => one.peerId === liar.network.peerId)
  )
  const lied = await ask(network, 'secure')
  assert.equal(lied.text, whole.text)
  assert.ok(liar.answered() > 0, 'the liar was asked')
  const standing = (await listHolders(network)).find(({ peerId }) => peerId === liar.network.peerId)?.standing
  assert.equal(standing, 'quarantined')
  console.log(
    `lying: the same text, caught after ${liar.answered()} calls, longest gap ${lied.longestGapMs.toFixed(0)} ms`
  )
  await network.stopAll()
})
