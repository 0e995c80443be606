import type { ErrorEntry } from './error-entry.ts'

/** Failures of coins: amounts, accounts, holds, conservation. */
export const moneyErrors = {
  LEDGER_NOT_CONSERVED: {
    message: 'the accounts of {coin} add up to {change} base units more than there are',
    nextStep:
      'the node has stopped so that nothing is built on it: run "blyan-node chain verify", and report what it says with the logs',
    fault: 'us',
    retry: false
  },
  AMOUNT_INVALID: {
    message: '"{amount}" is not an amount',
    nextStep:
      'write digits, in an event base units ("1500000000"), on the command line whole coins with a point ("1.5")',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  AMOUNT_NEGATIVE: {
    message: '{amount} is below zero',
    nextStep: 'amounts are above zero; whoever is to pay signs the event',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  AMOUNT_ZERO: {
    message: 'an amount of nothing',
    nextStep: 'give an amount above zero',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  AMOUNT_FRACTIONAL: {
    message: '{amount} has a part below one base unit',
    nextStep: 'a coin has 9 decimals, and an event counts in whole base units: 1 coin is 1000000000',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  AMOUNT_TOO_LARGE: {
    message: '{amount} is more than there can be of any coin',
    nextStep: 'look whether base units and whole coins were mixed up: 1 coin is 1000000000 base units',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  ACCOUNT_INVALID: {
    message: '"{account}" is no account',
    nextStep: 'an account is the text of a public key: ask whoever has it for what "blyan-node account" shows',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  ACCOUNT_FROZEN: {
    message: 'nothing can be taken from account {account}: it is frozen',
    nextStep: 'see "blyan-node proposal list" for the vote that froze it, and until when',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  COIN_UNKNOWN: {
    message: 'there is no coin "{coin}"',
    nextStep: 'the coins are {known}',
    fault: 'user',
    retry: false,
    exitCode: 2,
    httpStatus: 400
  },
  TRANSFER_TO_SELF: {
    message: 'the account to pay is the one that pays',
    nextStep: 'name another account',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  EVENT_KEY_USED: {
    message: 'key "{key}" was used by event {first} already',
    nextStep: 'if this is the same wish, it is done: look at that event; else choose another key',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  EVENT_KEY_UNKNOWN: {
    message: 'no event of that account used the key "{key}" lately',
    nextStep: 'keys are forgotten after a day: see "blyan-node event list"',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  HOLD_UNKNOWN: {
    message: 'there is no hold {hold}',
    nextStep: 'see "blyan-node hold list"; a hold that was over a day ago is forgotten',
    fault: 'user',
    retry: false,
    httpStatus: 404
  },
  HOLD_KEY_USED: {
    message: 'key "{key}" has a quote already: hold {hold}',
    nextStep: 'if this is the same wish, it is done: look at that hold; else choose another key',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_TO_SELF: {
    message: 'nobody holds coins for themselves',
    nextStep: 'the payer is another account than the payee',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_NOT_PAYEE: {
    message: 'only the payee {payee} can do that with hold {hold}',
    nextStep: 'ask the payee',
    fault: 'user',
    retry: false,
    httpStatus: 403
  },
  HOLD_NOT_PAYER: {
    message: 'the quote {hold} is for another payer',
    nextStep: 'ask the payee for a quote of your own',
    fault: 'user',
    retry: false,
    httpStatus: 403
  },
  HOLD_NOT_PARTY: {
    message: 'only the payer and the payee can do that with hold {hold}',
    nextStep: 'ask one of them',
    fault: 'user',
    retry: false,
    httpStatus: 403
  },
  HOLD_QUOTE_EXPIRED: {
    message: 'the quote {hold} has expired',
    nextStep: 'ask the payee for a new quote',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_EXPIRED: {
    message: 'hold {hold} has expired, and its coins went back to the payer',
    nextStep: 'begin again with a new quote',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_PRICE_MISMATCH: {
    message: '{amount} base units are too far from the {quoted} of quote {hold}',
    nextStep: 'look at the quote again with "blyan-node hold show", and authorise what it asks for',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_USAGE_MISMATCH: {
    message: '{calls} calls are more than hold {hold} was for',
    nextStep: 'capture what was agreed, and quote the rest anew',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_CAPTURE_TOO_LARGE: {
    message: '{amount} base units are more than the {authorised} that were authorised for hold {hold}',
    nextStep: 'capture at most what was authorised',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_ALREADY_AUTHORISED: {
    message: 'hold {hold} was authorised before',
    nextStep: 'nothing is to be done: its coins are held already',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_NOT_AUTHORISED: {
    message: 'nobody has authorised hold {hold} yet',
    nextStep: 'the payer authorises the quote first',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_ALREADY_CAPTURED: {
    message: 'hold {hold} was captured before',
    nextStep: 'nothing is to be done: it is credited next',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_NOT_CAPTURED: {
    message: 'nothing of hold {hold} was captured yet',
    nextStep: 'the payee captures what was delivered first',
    fault: 'user',
    retry: false,
    httpStatus: 409
  },
  HOLD_CLOSED: {
    message: 'hold {hold} is over: {status}',
    nextStep: 'nothing more happens to it; begin again with a new quote',
    fault: 'user',
    retry: false,
    httpStatus: 409
  }
} as const satisfies Record<string, ErrorEntry>
