import { type CID, parseCid, publicKeyToText } from '../../codec/index.ts'
import {
  type ApplyInput,
  type Genesis,
  type PartRules,
  type PartVersionAsked,
  readPartChain,
  recordPartVersion,
  type StateView
} from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { candidateParts, pendingOf, readStoredCandidate } from './candidate-records.ts'
import { notePublished } from './candidates.ts'
import { chainLimits, lagMax } from './limits.ts'
import { bytesOf, modelOfPart, newestTensor, partCountOf } from './model-parts.ts'
import type { Moment } from './moment.ts'
import type { Base } from './reads.ts'
import { readRoundPart } from './result-records.ts'
import { readStoredRound } from './round-records.ts'
import { advance } from './rounds.ts'
import { learningIsOn } from './settings.ts'
import { appendToPages, learningKeys, readAt, writeAt } from './store.ts'
import type { CandidatePart } from './types.ts'

/** What a network that learns asks of new versions of parts: that a quorum has measured them. */
export function learningPartRules(genesis: Genesis): PartRules {
  return {
    isOn: state => learningIsOn(state, genesis),
    noteUnasked: (state, { name, tensor }) => {
      // Learning was voted off: what the state knew of the part would be wrong when it is voted on again.
      if (readPartChain(state, name) === undefined) return
      recordPartVersion(state, name, { tensor, update: null })
      noteBase(state, name, tensor)
    },
    admit: (input, asked, requireStake) => {
      const moment = momentOf(input, genesis)
      advance(moment, modelOfPart(input.state, asked.name))
      const base = asked.isFirst ? undefined : newestTensor(input.state, genesis, asked.name)
      if (base === undefined) admitFirst(moment, asked, requireStake)
      else admitMeasured(moment, asked, base, { author: publicKeyToText(input.envelope.author), requireStake })
    }
  }
}

/** The first version of a part, and one of a part that the state knows no tensor of: as before. */
function admitFirst({ state, genesis }: Moment, asked: PartVersionAsked, requireStake: () => void): void {
  const { name, tensor, update, shape } = asked
  requireStake()
  if (update !== null) throw new BlyanError('PART_UPDATE_WRONG', { part: name })
  recordPartVersion(state, name, { tensor, update: null })
  const model = modelOfPart(state, name)
  const isListed = readAt(state, learningKeys.bases(name)) !== undefined
  writeAt(state, learningKeys.bases(name), [])
  noteBase(state, name, tensor)
  if (model !== 'genesis' && !isListed && partCountOf(state, genesis, model) < chainLimits.partsOfModel)
    appendToPages(state, learningKeys.parts(model), { name, bytes: bytesOf(shape) })
}

function admitMeasured(
  moment: Moment,
  asked: PartVersionAsked,
  base: string,
  who: { readonly author: string; readonly requireStake: () => void }
): void {
  const { state } = moment
  const { name, tensor, update } = asked
  const notMeasured = new BlyanError('PART_NOT_MEASURED', { part: name, tensor: tensor.toString() })
  const pending = pendingOf(state, tensor.toString())
  const candidate = pending === undefined ? undefined : readStoredCandidate(state, pending.candidate)
  if (pending?.part !== name || candidate?.status !== 'approved') throw notMeasured
  if (candidate.author !== who.author) who.requireStake()
  const { model } = candidate
  const round = readStoredRound(state, model)
  if (round !== undefined && round.candidate !== candidate.id && readRoundPart(state, model, name) !== undefined)
    throw new BlyanError('PART_ROUND_BUSY', { part: name, model, round: round.number })
  const part = candidateParts(state, candidate.id).find(one => one.name === name)!
  if (part.base !== base) throw notMeasured
  if (update !== null && !isUpdateOf(part, update)) throw new BlyanError('PART_UPDATE_WRONG', { part: name })
  // Where learning was voted on later the first update of a part of genesis needs what it is an update of.
  if (readPartChain(state, name) === undefined) recordPartVersion(state, name, { tensor: parseCid(base), update: null })
  recordPartVersion(state, name, { tensor, update })
  noteBase(state, name, tensor)
  notePublished(moment, candidate.id, part)
  advance(moment, model)
}

/** One file may hold updates of several parts: what this one takes of it can be less than the whole. */
function isUpdateOf(part: CandidatePart, update: { readonly cid: CID; readonly sizeBytes: number }): boolean {
  return part.update === update.cid.toString() && update.sizeBytes <= part.updateBytes
}

/** Of each round the last version that was published in it, for as long as deltas may start from it. */
function noteBase(state: StateView, name: string, tensor: CID): void {
  const round = readStoredRound(state, modelOfPart(state, name))?.number ?? 0
  const bases = (readAt<readonly Base[]>(state, learningKeys.bases(name)) ?? []).filter(base => base.round !== round)
  writeAt(state, learningKeys.bases(name), [...bases, { tensor: tensor.toString(), round }].slice(-(lagMax + 3)))
}

function momentOf({ state, timestampMs, eventDigest }: ApplyInput, genesis: Genesis): Moment {
  return { state, genesis, nowMs: timestampMs, event: eventDigest }
}
