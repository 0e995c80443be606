import { BlyanError } from '../../errors/index.ts'
import {
  candidates,
  councilBallots,
  countedObservations,
  type DutyRecords,
  dutiesOf,
  dutyDueMs,
  handovers,
  holdingOf,
  judgedHealth,
  ownerOf,
  peerIdOf,
  quorumWeightOf,
  type Responsibility,
  readCouncil,
  readFailover,
  recordOf,
  responsibilities,
  subjectsOf
} from '../../guardian/index.ts'
import { readGifted, readPool } from '../../ledger/index.ts'
import type { LedgerAccess } from '../blyan-node.ts'

/** An account, and the name that its validator or gifted node has. */
export type NamedAccount = { readonly account: string; readonly name: string | null }

export type WatchedView = NamedAccount & {
  readonly peerId: string | null
  readonly isOwner: boolean
  readonly health: string
  readonly since: string
  /** What a quorum agrees on now; it becomes the health once it has lasted. */
  readonly agreed: string
  readonly observations: readonly (NamedAccount & {
    readonly weight: number
    readonly health: string
    readonly responseMs: number | null
    readonly issues: readonly string[]
    readonly time: string
  })[]
}

export type ResponsibilityView = {
  readonly responsibility: Responsibility
  readonly duties: readonly string[]
  readonly holder: NamedAccount
  readonly since: string
  readonly term: number
  readonly because: string
  /** Its newest record, whoever published it. */
  readonly record: {
    readonly holder: NamedAccount
    readonly time: string
    readonly number: number
    readonly [more: string]: unknown
  } | null
  readonly nextRecordDue: string
  /** Votes of the emergency council on who shall hold it instead. */
  readonly votes: readonly { readonly member: NamedAccount; readonly nominee: NamedAccount }[]
}

export type ContinuityView = {
  readonly schema: 'blyan.continuity/1'
  /** `owner`: it does what genesis gave it. `failover`: others do. `returning`: it gets back one thing after the other. */
  readonly stage: 'owner' | 'failover' | 'returning'
  readonly stageSince: string | null
  readonly owner: NamedAccount
  /** Weight that must agree on a health. */
  readonly quorumWeight: number
  readonly watched: readonly WatchedView[]
  readonly responsibilities: readonly ResponsibilityView[]
  readonly council: {
    readonly members: readonly NamedAccount[]
    readonly since: string
    readonly until: string
    readonly term: number
  } | null
  /** Who can be elected now. */
  readonly candidates: readonly (NamedAccount & { readonly kind: string; readonly specialisation: string | null })[]
  /** Newest first. */
  readonly history: readonly {
    readonly number: number
    readonly what: string
    readonly from: readonly NamedAccount[]
    readonly to: readonly NamedAccount[]
    readonly because: string
    readonly time: string
  }[]
}

type Access = Pick<LedgerAccess, 'state' | 'genesis'>

/** Throws ECONOMY_NONE. */
export function continuityView(access: Access): ContinuityView {
  const { state, genesis } = access
  if (genesis.file.economy === undefined) throw new BlyanError('ECONOMY_NONE')
  const named = (account: string): NamedAccount => nameOf(access, account)
  const failover = readFailover(state)
  const council = readCouncil(state)
  return {
    schema: 'blyan.continuity/1',
    stage: failover === undefined ? 'owner' : failover.stage === 'active' ? 'failover' : 'returning',
    stageSince: failover === undefined ? null : timeOf(failover.sinceMs),
    owner: named(ownerOf(genesis)),
    quorumWeight: quorumWeightOf(state, genesis),
    watched: subjectsOf(state, genesis).map(subject => watchedView(access, subject)),
    responsibilities: responsibilities.map(name => responsibilityView(access, name)),
    council:
      council === undefined
        ? null
        : {
            members: council.members.map(named),
            since: timeOf(council.sinceMs),
            until: timeOf(council.untilMs),
            term: council.term
          },
    candidates: candidates(state, genesis).map(({ account, kind, specialisation }) => ({
      ...named(account),
      kind,
      specialisation
    })),
    history: handovers(state).map(({ number, what, from, to, because, atMs }) => ({
      number,
      what,
      from: accountsOf(from).map(named),
      to: accountsOf(to).map(named),
      because,
      time: timeOf(atMs)
    }))
  }
}

function watchedView(access: Access, subject: string): WatchedView {
  const { state, genesis } = access
  const { health, sinceMs, agreed } = judgedHealth(state, genesis, subject)
  return {
    ...nameOf(access, subject),
    peerId: peerIdOf(state, subject) ?? null,
    isOwner: subject === ownerOf(genesis),
    health,
    since: timeOf(sinceMs),
    agreed,
    observations: countedObservations(state, genesis, subject, 0).map(({ observer, weight, observation }) => ({
      ...nameOf(access, observer),
      weight,
      health: observation.health,
      responseMs: observation.responseMs,
      issues: observation.issues,
      time: timeOf(observation.atMs)
    }))
  }
}

function responsibilityView(access: Access, name: Responsibility): ResponsibilityView {
  const { state, genesis } = access
  const { holder, sinceMs, term, because } = holdingOf(state, name)
  const record = recordOf(state, name)
  return {
    responsibility: name,
    duties: dutiesOf[name],
    holder: nameOf(access, holder),
    since: timeOf(sinceMs),
    term,
    because,
    record: record === undefined ? null : recordView(access, record),
    nextRecordDue: timeOf(dutyDueMs(state, genesis, name)),
    votes: councilBallots(state, name).map(({ member, nominee }) => ({
      member: nameOf(access, member),
      nominee: nameOf(access, nominee)
    }))
  }
}

function recordView(access: Access, record: DutyRecords[Responsibility]): NonNullable<ResponsibilityView['record']> {
  const { atMs, holder, number, ...found } = record
  return { holder: nameOf(access, holder), time: timeOf(atMs), number, ...found }
}

function nameOf({ state }: Access, account: string): NamedAccount {
  return { account, name: readPool(state, account)?.name ?? readGifted(state, account)?.name ?? null }
}

function accountsOf(text: string): string[] {
  return text === '' ? [] : text.split(' ')
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}
