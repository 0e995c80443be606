import { z } from 'zod'
import type { EventHandler, Genesis, StateView } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { accountText, ledgerHandler, numberOf, type RuleInput, schedule } from '../ledger/index.ts'
import { candidates, electCouncil } from './election.ts'
import { forgetLater } from './health.ts'
import {
  handOver,
  holdingOf,
  isResponsibility,
  noteHandover,
  ownerOf,
  type Responsibility,
  responsibilities
} from './responsibilities.ts'

/** Elected when the owner's node has failed. A majority of its members can give a responsibility to another node. */
export type Council = {
  readonly members: readonly string[]
  readonly sinceMs: number
  readonly untilMs: number
  readonly term: number
}

type Ballot = { readonly member: string; readonly nominee: string }
type Ballots = { readonly term: number; readonly ballots: readonly Ballot[] }

export const councilKind = 'council-term'
const councilKey = 'council'
const termKey = 'council-terms'
const ballotsKey = (responsibility: Responsibility): string => `council-votes/${responsibility}`

export function readCouncil(state: StateView): Council | undefined {
  return state.get(councilKey) as Council | undefined
}

/** Votes of the members on who shall hold a responsibility in place of its holder of now. */
export function councilBallots(state: StateView, responsibility: Responsibility): readonly Ballot[] {
  const stored = state.get(ballotsKey(responsibility)) as Ballots | undefined
  return stored?.term === holdingOf(state, responsibility).term ? stored.ballots : []
}

/** False when there is nobody to elect. */
export function seatCouncil({ state, genesis, nowMs }: RuleInput): boolean {
  const term = ((state.get(termKey) as number | undefined) ?? 0) + 1
  const members = electCouncil(state, genesis, { term, seatsMax: numberOf(state, genesis, 'councilSeats') })
  if (members.length === 0) return false
  const untilMs = nowMs + numberOf(state, genesis, 'councilMs')
  const council: Council = { members, sinceMs: nowMs, untilMs, term }
  state.set(councilKey, council)
  state.set(termKey, term)
  forgetBallots(state)
  schedule(state, untilMs, councilKind, String(term))
  noteHandover(state, { what: 'council', from: '', to: members.join(' '), because: 'failed', atMs: nowMs })
  return true
}

export function dissolveCouncil({ state, nowMs }: RuleInput): void {
  if (readCouncil(state) === undefined) return
  const { members } = readCouncil(state)!
  state.delete(councilKey)
  forgetBallots(state)
  noteHandover(state, { what: 'council', from: members.join(' '), to: '', because: 'returned', atMs: nowMs })
}

/** A council that has served its time is followed by another. */
export function endCouncilTerm(input: RuleInput, term: string): void {
  if (String(readCouncil(input.state)?.term) === term) seatCouncil(input)
}

const ballotSchema = z.strictObject({
  responsibility: z.string().max(32),
  /** Term of the holder that shall be replaced. */
  term: z.int().min(1),
  nominee: accountText
})

export function councilHandler(genesis: Genesis): EventHandler {
  return ledgerHandler({
    type: 'council-vote',
    purpose: 'A member of the emergency council votes for who shall hold a responsibility',
    genesis,
    schema: ballotSchema,
    isFree: true,
    apply: ({ state, author, timestampMs }, { responsibility, term, nominee }) => {
      const council = readCouncil(state)
      if (council === undefined) throw new BlyanError('COUNCIL_MISSING')
      if (!council.members.includes(author)) throw new BlyanError('COUNCIL_NOT_MEMBER', { author })
      requireResponsibility(responsibility)
      requireTerm(state, responsibility, term)
      requireFit(state, genesis, responsibility, nominee)
      const cast = councilBallots(state, responsibility)
      if (cast.some(ballot => ballot.member === author && ballot.nominee === nominee))
        throw new BlyanError('COUNCIL_VOTE_AGAIN', { nominee })
      const ballots = [...cast.filter(({ member }) => member !== author), { member: author, nominee }]
      const stored: Ballots = { term, ballots }
      state.set(ballotsKey(responsibility), stored)
      const agreeing = ballots.filter(ballot => ballot.nominee === nominee).length
      if (2 * agreeing <= council.members.length) return
      state.delete(ballotsKey(responsibility))
      forgetLater({ state, genesis, nowMs: timestampMs }, holdingOf(state, responsibility).holder)
      handOver(state, { what: responsibility, to: nominee, because: 'council', nowMs: timestampMs })
    }
  })
}

/** Throws RESPONSIBILITY_UNKNOWN. */
function requireResponsibility(name: string): asserts name is Responsibility {
  if (!isResponsibility(name))
    throw new BlyanError('RESPONSIBILITY_UNKNOWN', { responsibility: name, known: responsibilities.join(', ') })
}

function requireTerm(state: StateView, responsibility: Responsibility, asked: number): void {
  const { term } = holdingOf(state, responsibility)
  if (term !== asked) throw new BlyanError('COUNCIL_VOTE_OUTDATED', { responsibility, term, asked })
}

function requireFit(state: StateView, genesis: Genesis, responsibility: Responsibility, nominee: string): void {
  const unfit = (reason: string): BlyanError =>
    new BlyanError('COUNCIL_NOMINEE_UNFIT', { nominee, responsibility, reason })
  const { holder } = holdingOf(state, responsibility)
  if (nominee === holder) throw unfit('it holds it already')
  // What the owner held comes back to it by its health alone.
  if (nominee === ownerOf(genesis)) throw unfit('the owner gets it back when its node is healthy again')
  if (!candidates(state, genesis).some(({ account }) => account === nominee))
    throw unfit('it is neither an active gifted node nor an operator in the set, or it is not well')
}

function forgetBallots(state: StateView): void {
  for (const name of responsibilities) if (state.get(ballotsKey(name)) !== undefined) state.delete(ballotsKey(name))
}
