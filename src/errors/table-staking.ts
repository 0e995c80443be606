import type { ErrorEntry } from './error-entry.ts'

const refusal = { fault: 'user', retry: false, httpStatus: 409 } as const

/** Failures of stake, operators and their validators. */
export const stakingErrors = {
  OPERATOR_UNKNOWN: {
    message: 'the account {operator} answers for no validator',
    nextStep: 'see who does with "blyan-node validator list"',
    ...refusal
  },
  OPERATOR_NOT_FOUND: {
    message: 'there is no validator with the name, account or key {name}',
    nextStep: 'see who there is with "blyan-node validator list"',
    ...refusal,
    httpStatus: 404
  },
  OPERATOR_NOT_OWN: {
    message: 'the account of this node ({account}) answers for no validator',
    nextStep: 'let it do so with "blyan-node validator join", or say which you mean by its name, account or key',
    ...refusal
  },
  OPERATOR_NAME_SHARED: {
    message: 'several validators are called {name}: those of {accounts}',
    nextStep: 'name the one you mean by its account',
    ...refusal
  },
  VALIDATORS_BY_STAKE: {
    message: 'there is no "{change}" in this network: stake decides who validates',
    nextStep: 'a node asks with "blyan-node validator join" and stakes with "blyan-node stake"',
    ...refusal
  },
  VALIDATORS_BY_APPROVAL: {
    message: 'there is no "{change}" in this network: validators approve who joins, and nothing is staked',
    nextStep: 'see "blyan-node validator --help" for what there is',
    ...refusal
  },
  ECONOMY_NONE: {
    message: 'this network has no stake: its genesis has no economy',
    nextStep: 'try it in a development network ("blyan-node devnet up")',
    ...refusal
  },
  OPERATOR_NOT_MEMBER: {
    message: 'the validator of {operator} is not in the set of now',
    nextStep: 'only operators of validators in the set may do that; see "blyan-node validator list"',
    ...refusal
  },
  OPERATOR_ALREADY: {
    message: 'the account {operator} answers for a validator already',
    nextStep: 'change it with "blyan-node validator edit" or "blyan-node validator rotate"',
    ...refusal
  },
  OPERATOR_KEY_TAKEN: {
    message: 'the key {key} is or was that of a validator',
    nextStep: 'make another with "blyan-node keys new validator"',
    ...refusal
  },
  OPERATOR_PEER_ID_TAKEN: {
    message: 'the peer id {peerId} belongs to another validator',
    nextStep: 'give each validator a node key of its own ("blyan-node keys rotate node")',
    ...refusal
  },
  OPERATOR_KEY_UNFIT: {
    message: 'the key {key} cannot be one of a validator: it is not Ed25519',
    nextStep: 'use an Ed25519 key: "blyan-node keys new validator" makes one',
    ...refusal
  },
  OPERATOR_PROOF_WRONG: {
    message: '{key} has not signed for this account',
    nextStep: 'let the node that has the key ask, with "blyan-node validator join" or "blyan-node validator rotate"',
    ...refusal
  },
  OPERATOR_LEAVING_ALREADY: {
    message: 'the validator of {operator} leaves already',
    nextStep: 'nothing to do; to stay after all use "blyan-node validator join"',
    ...refusal
  },
  OPERATOR_NOT_JAILED: {
    message: 'the validator of {operator} is not jailed',
    nextStep: 'nothing to do; see "blyan-node validator list"',
    ...refusal
  },
  OPERATOR_JAILED_STILL: {
    message: 'the validator is jailed until {until}',
    nextStep: 'ask again after that time',
    ...refusal,
    retry: true
  },
  OPERATOR_TOMBSTONED: {
    message: 'the validator of {operator} may never come back',
    nextStep: 'see why with "blyan-node slashes"; take your coins out with "blyan-node unstake"',
    ...refusal
  },
  OPERATOR_NOTHING_TO_EDIT: {
    message: 'that is what the validator of {operator} says already',
    nextStep: 'give what is to be different: --name, --commission, --website, --origin or --region',
    ...refusal
  },
  OPERATORS_FULL: {
    message: '512 operators stand in the list, each with more stake than yours would have',
    nextStep: 'stake more at once, or stake with another operator',
    ...refusal
  },
  COMMISSION_RAISE_TOO_LARGE: {
    message: 'a commission rises by at most {most} basis points a day; it is {now} now',
    nextStep: 'raise it in steps; it can be lowered by any amount at any time',
    ...refusal
  },
  COMMISSION_RAISE_TOO_SOON: {
    message: 'the commission can be raised again at {next}',
    nextStep: 'wait until then; it can be lowered at any time',
    ...refusal,
    retry: true
  },
  STAKE_BELOW_MINIMUM: {
    message: 'the stake of {amount} base units is below the least of {least}',
    nextStep: 'stake more at once',
    ...refusal
  },
  STAKE_NOT_TAKEN: {
    message: 'nothing can be staked with {operator}: {reason}',
    nextStep: 'choose another with "blyan-node validator list"',
    ...refusal
  },
  STAKE_NONE: {
    message: 'this account has nothing staked with {operator}',
    nextStep: 'see what it has with "blyan-node unstake list"',
    ...refusal
  },
  STAKE_REST_TOO_SMALL: {
    message: '{rest} base units would be left, below the least of {least}',
    nextStep: 'take out everything, or less',
    ...refusal
  },
  STAKE_OPERATORS_FULL: {
    message: 'this account has stake with {max} operators already',
    nextStep: 'stake more with one of them, or take out what it has with another first',
    ...refusal
  },
  SELF_STAKE_TOO_LOW: {
    message: 'the operator has {stake} base units staked with itself, below the least of {least}',
    nextStep: 'stake more with "blyan-node stake" first',
    ...refusal
  },
  UNSTAKE_TOO_MUCH: {
    message: '{amount} base units were asked for, and {bonded} are bonded',
    nextStep: 'see what is bonded with "blyan-node unstake list"',
    ...refusal
  },
  UNBONDING_FULL: {
    message: '{max} amounts are on their way out already',
    nextStep: 'wait until one is free, or cancel one; see "blyan-node unstake list"',
    ...refusal,
    retry: true
  },
  UNBONDING_UNKNOWN: {
    message: 'this account has nothing on its way out with number {number}',
    nextStep: 'see what is with "blyan-node unstake list"; coins that are free cannot be cancelled',
    ...refusal
  },
  UNBONDING_CANCELLED_ALREADY: {
    message: 'number {number} was cancelled already',
    nextStep: 'nothing to do: the coins are staked again',
    ...refusal
  },
  EARNINGS_NONE: {
    message: 'there is nothing to claim from {operator}',
    nextStep: 'rewards are paid at the end of each period; see "blyan-node rewards"',
    ...refusal
  }
} as const satisfies Record<string, ErrorEntry>
