import { hexToBytes, publicKeyFromText } from '../../codec/index.ts'
import { type Chains, eventId } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import {
  type ExpertEvidence,
  expertEvidenceCount,
  readExpertEvidence,
  readExpertEvidenceEntry,
  statementsOf
} from '../../guardian/index.ts'
import { peerIdOfPublicKey } from '../../net/index.ts'
import type { LastWord } from '../../routing/index.ts'
import type { ExpertEvidenceCheck, ExpertEvidenceView, LedgerAccess } from '../blyan-node.ts'

/** The newest first. */
export function expertEvidenceViews({ state }: Pick<LedgerAccess, 'state'>, limit: number): ExpertEvidenceView[] {
  const found: ExpertEvidenceView[] = []
  for (let number = expertEvidenceCount(state); number > 0 && found.length < limit; number--) {
    const entry = readExpertEvidenceEntry(state, number)
    // The newest are kept, so before the first that is forgotten there is none.
    if (entry === undefined) break
    found.push(viewOf(entry))
  }
  return found
}

/** Computes every exhibit again. Throws EXPERT_EVIDENCE_UNKNOWN, EXPERT_EVIDENCE_WEIGHTS. */
export async function checkExpertEvidence(
  needs: {
    readonly ledger: Pick<LedgerAccess, 'state' | 'genesis'>
    readonly chains: Pick<Chains, 'event'>
    readonly lastWord: Pick<LastWord, 'judge'>
  },
  number: number
): Promise<ExpertEvidenceCheck> {
  const { state, genesis } = needs.ledger
  const entry = readExpertEvidenceEntry(state, number)
  const event = entry === undefined ? undefined : await needs.chains.event(entry.event)
  if (entry === undefined || event === undefined) throw new BlyanError('EXPERT_EVIDENCE_UNKNOWN', { number })
  const statements = statementsOf(readExpertEvidence(event.event.envelope.payload), genesis.digest)
  const checked: ExpertEvidenceCheck['checked'][number][] = []
  for (const statement of statements) {
    const { weights } = statement
    const judgement = await needs.lastWord.judge(statement)
    if (judgement === undefined) {
      const reason = 'the weights are not here, or are no expert of a model of this network'
      throw new BlyanError('EXPERT_EVIDENCE_WEIGHTS', { number, reason, tensor: weights })
    }
    const { difference, doubt, isProven } = judgement
    checked.push({ weights, difference: shown(difference), doubt: shown(doubt), isProven })
  }
  return { ...viewOf(entry), isProven: checked.every(({ isProven }) => isProven), checked }
}

function viewOf({ number, holder, reporter, event, weights, exhibits, timeMs }: ExpertEvidence): ExpertEvidenceView {
  return {
    number,
    holder,
    peerId: peerIdOfPublicKey(publicKeyFromText(holder)),
    reporter,
    event: eventId(hexToBytes(event)!).toString(),
    weights,
    exhibits,
    time: new Date(timeMs).toISOString()
  }
}

/** JSON has no infinity. */
function shown(value: number): number {
  return Number.isFinite(value) ? value : Number.MAX_VALUE
}
