import { currentSet, type Genesis, keyTextOf, type StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { operatorOf, type Pool, readPool } from './pool-records.ts'

export type MemberOperator = {
  readonly operator: string
  /** In the set of now. */
  readonly place: number
  readonly weight: number
}

/** Who answers for the validators of the set of now, in their order. */
export function memberOperators(state: StateView, genesis: Genesis): MemberOperator[] {
  const found: MemberOperator[] = []
  for (const [place, member] of currentSet(state, genesis).members.entries()) {
    const operator = operatorOf(state, keyTextOf(member))
    if (operator !== undefined) found.push({ operator, place, weight: member.weight })
  }
  return found
}

/** The pool of an account whose validator is in the set of now. Throws OPERATOR_NOT_MEMBER. */
export function requireMemberOperator(state: StateView, genesis: Genesis, account: string): Pool {
  const pool = readPool(state, account)
  if (pool === undefined || !isMember(state, genesis, account))
    throw new BlyanError('OPERATOR_NOT_MEMBER', { operator: account })
  return pool
}

export function isMember(state: StateView, genesis: Genesis, operator: string): boolean {
  return memberOperators(state, genesis).some(member => member.operator === operator)
}
