import type { Genesis, StateView } from '../dag/index.ts'
import { readGifted, readPool } from '../ledger/index.ts'

/** In the order in which they are handed over; they come back in the reverse order. Seed 003, "Immortal Mainnet Architecture". */
export const responsibilities = ['core', 'notary', 'registry'] as const
export type Responsibility = (typeof responsibilities)[number]

/** What a holder answers for, by the names of the seed. */
export const dutiesOf: Readonly<Record<Responsibility, readonly string[]>> = {
  core: ['consensus coordination', 'network governance', 'economic management', 'security oversight'],
  notary: ['transaction notarisation', 'witness recording', 'audit trail'],
  registry: ['service discovery', 'node registration', 'health monitoring']
}

export type Because = 'genesis' | 'failed' | 'degraded' | 'council' | 'returned'

export type Holding = {
  /** Account of the holder. */
  readonly holder: string
  readonly sinceMs: number
  /** Counts the holders: 1 for the first. */
  readonly term: number
  readonly because: Because
}

/** What happened to a responsibility, or (`council`) to the emergency council. */
export type Handover = {
  readonly number: number
  readonly what: Responsibility | 'council'
  readonly from: string
  /** Empty for a council that is dissolved. */
  readonly to: string
  readonly because: Because
  readonly atMs: number
}

/** Newest entries of the history that are kept. */
const handoversKept = 64
const handoversKey = 'handovers'
const handoverPrefix = 'handover/'

/** The account whose node holds everything until others are elected. */
export function ownerOf(genesis: Genesis): string {
  return genesis.file.economy!.owner
}

export function isResponsibility(name: string): name is Responsibility {
  return (responsibilities as readonly string[]).includes(name)
}

export function holdingOf(state: StateView, responsibility: Responsibility): Holding {
  return state.get(`responsibility/${responsibility}`) as Holding
}

export function heldBy(state: StateView, account: string): Responsibility[] {
  return responsibilities.filter(name => holdingOf(state, name).holder === account)
}

/** Where an account's node is found: its validator's, or the gifted one. */
export function peerIdOf(state: StateView, account: string): string | undefined {
  return readPool(state, account)?.peerId ?? readGifted(state, account)?.peerId
}

/** Whose health is watched: the owner and all holders, each once, the owner first. */
export function subjectsOf(state: StateView, genesis: Genesis): string[] {
  return [...new Set([ownerOf(genesis), ...responsibilities.map(name => holdingOf(state, name).holder)])]
}

export function giveFirst(state: StateView, genesis: Genesis): void {
  const first: Holding = { holder: ownerOf(genesis), sinceMs: genesis.timeMs, term: 1, because: 'genesis' }
  for (const name of responsibilities) state.set(`responsibility/${name}`, first)
}

/** Makes `to` the holder, and writes it into the history. */
export function handOver(
  state: StateView,
  given: { readonly what: Responsibility; readonly to: string; readonly because: Because; readonly nowMs: number }
): void {
  const { what, to, because, nowMs } = given
  const { holder, term } = holdingOf(state, what)
  const next: Holding = { holder: to, sinceMs: nowMs, term: term + 1, because }
  state.set(`responsibility/${what}`, next)
  noteHandover(state, { what, from: holder, to, because, atMs: nowMs })
}

export function noteHandover(state: StateView, handover: Omit<Handover, 'number'>): void {
  const number = handoverCount(state) + 1
  state.set(handoversKey, number)
  state.set(`${handoverPrefix}${number}`, { number, ...handover })
  if (number > handoversKept) state.delete(`${handoverPrefix}${number - handoversKept}`)
}

/** The kept history, newest first. */
export function handovers(state: StateView): Handover[] {
  const found: Handover[] = []
  for (let number = handoverCount(state); number > 0; number--) {
    const handover = state.get(`${handoverPrefix}${number}`) as Handover | undefined
    if (handover === undefined) break
    found.push(handover)
  }
  return found
}

function handoverCount(state: StateView): number {
  return (state.get(handoversKey) as number | undefined) ?? 0
}
