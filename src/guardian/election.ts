import type { Genesis, StateView } from '../dag/index.ts'
import { bondedStakeOf, giftedNodes, memberOperators, presentPpm, unitsPerCoin } from '../ledger/index.ts'
import { isWell } from './health.ts'
import { drawBelow } from './lots.ts'
import { heldBy, ownerOf, type Responsibility } from './responsibilities.ts'

/** Somebody who can hold a responsibility. */
export type Candidate = {
  readonly account: string
  readonly kind: 'gifted' | 'validator'
  /** What a gifted node is best at. */
  readonly specialisation: string | null
  /** Chances in a draw: uptime in parts per million (a validator's seen, a gifted node's promised), times whole BLY bonded and one. */
  readonly chances: bigint
}

/** Fit to hold something: there, in the set or active, and not found failed or degraded. By account, in order of its text. */
export function candidates(state: StateView, genesis: Genesis): Candidate[] {
  const found = new Map<string, Candidate>()
  for (const { operator } of memberOperators(state, genesis))
    found.set(operator, {
      account: operator,
      kind: 'validator',
      specialisation: null,
      chances: chancesOf(state, operator, presentPpm(state, operator))
    })
  for (const { account, specialisation, isActive, uptimePpm } of giftedNodes(state))
    if (isActive)
      found.set(account, { account, kind: 'gifted', specialisation, chances: chancesOf(state, account, uptimePpm) })
  return [...found.values()]
    .filter(({ account }) => isWell(state, genesis, account))
    .sort((one, other) => (one.account < other.account ? -1 : 1))
}

/**
 * Who holds a responsibility next: gifted nodes made for it first, then other gifted nodes, then operators of validators;
 * of those who hold least already one by lot. Undefined when there is nobody else.
 */
export function elect(
  state: StateView,
  genesis: Genesis,
  what: { readonly responsibility: Responsibility; readonly term: number; readonly not: readonly string[] }
): string | undefined {
  const { responsibility, term, not } = what
  const others = candidates(state, genesis).filter(({ account }) => !not.includes(account))
  const gifted = others.filter(({ kind }) => kind === 'gifted')
  const special = gifted.filter(({ specialisation }) => specialisation === responsibility)
  const best = [special, gifted, others].find(group => group.length > 0)
  if (best === undefined) return undefined
  const load = (account: string): number => heldBy(state, account).length
  const least = Math.min(...best.map(({ account }) => load(account)))
  const idle = best.filter(({ account }) => load(account) === least)
  return drawOne(state, `${responsibility}/${term}`, idle).account
}

/** An odd number of members, one after the other by lot among all candidates but the owner. */
export function electCouncil(
  state: StateView,
  genesis: Genesis,
  council: { readonly term: number; readonly seatsMax: number }
): string[] {
  const left = candidates(state, genesis).filter(({ account }) => account !== ownerOf(genesis))
  const most = Math.min(council.seatsMax, left.length)
  const seats = most % 2 === 1 ? most : most - 1
  const members: string[] = []
  while (members.length < seats) {
    const chosen = drawOne(state, `council/${council.term}/${members.length}`, left)
    members.push(chosen.account)
    left.splice(left.indexOf(chosen), 1)
  }
  return members
}

/** By lot, each with its chances. There must be at least one. */
function drawOne(state: StateView, purpose: string, among: readonly Candidate[]): Candidate {
  const total = among.reduce((sum, { chances }) => sum + chances, 0n)
  let left = drawBelow(state, purpose, total)
  for (const candidate of among) {
    if (left < candidate.chances) return candidate
    left -= candidate.chances
  }
  throw new Error('a draw went past all chances')
}

function chancesOf(state: StateView, account: string, uptimePpm: number): bigint {
  return BigInt(Math.max(1, uptimePpm)) * (bondedStakeOf(state, account) / unitsPerCoin + 1n)
}
