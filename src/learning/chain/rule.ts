import { parseCid } from '../../codec/index.ts'
import { type Genesis, readPartChain, recordPartVersion } from '../../dag/index.ts'
import type { LedgerRule, RuleInput } from '../../ledger/index.ts'
import { candidateHandlers } from './candidate-events.ts'
import { endProposal, openedKind, proposalDueKind } from './candidates.ts'
import { challengeHandler } from './challenge-event.ts'
import { deltaHandlers } from './delta-events.ts'
import { learnerHandlers } from './learner-events.ts'
import { partsOfGenesis } from './model-parts.ts'
import type { Moment } from './moment.ts'
import { resultHandlers } from './result-events.ts'
import { advanceForTime, phaseKind } from './rounds.ts'
import { learningIsOn } from './settings.ts'
import { forgetAccount, forgetKind } from './trust.ts'

/** Rounds, candidates and trust: what the network does to get better, by events and committed time. */
export function learningRule(genesis: Genesis): LedgerRule {
  return {
    name: 'learning',
    handlers: [
      ...learnerHandlers(genesis),
      ...deltaHandlers(genesis),
      ...resultHandlers(genesis),
      challengeHandler(genesis),
      ...candidateHandlers(genesis)
    ],
    begin: input => {
      if (learningIsOn(input.state, genesis)) recordGenesis(input)
    },
    due: {
      [phaseKind]: (input, model) => advanceForTime(momentOf(input), model),
      [proposalDueKind]: (input, id) => endProposal(momentOf(input), id),
      [forgetKind]: ({ state, nowMs }, account) => forgetAccount(state, account, nowMs),
      [openedKind]: () => {}
    },
    // Sequences are drawn from the digest of a checkpoint that nobody could know before: the sooner there is one the better.
    urgent: [openedKind]
  }
}

function recordGenesis({ state, genesis }: RuleInput): void {
  for (const { name, tensor } of partsOfGenesis(genesis).values())
    if (readPartChain(state, name) === undefined)
      recordPartVersion(state, name, { tensor: parseCid(tensor), update: null })
}

function momentOf({ state, genesis, nowMs }: RuleInput): Moment {
  return { state, genesis, nowMs, event: '' }
}
