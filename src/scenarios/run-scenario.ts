import type { Genesis, HandlerRegistry } from '../dag/index.ts'
import { requireStakeMatches } from '../ledger/index.ts'
import { Attackers } from './actors/attackers.ts'
import { Gifters } from './actors/gifters.ts'
import { Operators } from './actors/operators.ts'
import { Stakers } from './actors/stakers.ts'
import { Users } from './actors/users.ts'
import { type Answer, answersOf } from './answers.ts'
import type { Row } from './measures.ts'
import { Observer } from './observer.ts'
import { participant } from './participant.ts'
import type { Scenario, Shock } from './scenario.ts'
import { createRandom } from './seeded-random.ts'
import { simulatedGenesis, simulatedHourMs } from './simulated-genesis.ts'
import { type EventCount, SimulatedNetwork } from './simulated-network.ts'
import type { World } from './world.ts'

/** What came of a scenario. */
export type ScenarioResult = {
  readonly question: string
  readonly seed: number
  readonly periods: number
  readonly periodHours: number
  readonly answers: readonly Answer[]
  /** What happened and when, in words. */
  readonly happened: readonly string[]
  /** One for each period. */
  readonly rows: readonly Row[]
  /** Events by type and what became of them: an empty refusal for those that were applied. */
  readonly events: readonly EventCount[]
  /** Of the last state: the same seed gives the same. */
  readonly stateRoot: string
}

/** Stake is counted in full this often; coins are at every checkpoint. */
const fullCountPeriods = 50
const growthParts = 1_000_000

/**
 * Runs a scenario with the handlers and rules that `createHandlers` gives a genesis: those of every node. Throws what
 * stops a node (LEDGER_NOT_CONSERVED), and GENESIS_INVALID or PARAMETER_* for a scenario that makes no network.
 */
export function runScenario(input: {
  readonly scenario: Scenario
  readonly seed: number
  readonly createHandlers: (genesis: Genesis) => HandlerRegistry
}): ScenarioResult {
  const { scenario, seed, createHandlers } = input
  const random = createRandom(seed, 'scenario')
  const operators = new Operators(scenario, createRandom(seed, 'operators'))
  const stakers = new Stakers(scenario)
  const users = new Users(scenario)
  const gifters = new Gifters(scenario, createRandom(seed, 'gifters'))
  const attackers = new Attackers(scenario)
  const reporter = { account: participant('reporter'), units: 1_000_000_000_000n, hasCoins: false }
  const crowd = [operators, stakers, users, gifters, attackers].flatMap(({ holders }) => holders)
  const genesis = simulatedGenesis(scenario, operators.inGenesis, [...crowd, reporter])
  const network = new SimulatedNetwork(genesis, createHandlers(genesis))
  const { blyMicroDollars } = scenario.market
  const world: World = { scenario, network, random, blyMicroDollars, load: 1, period: 0 }
  const observer = new Observer(world, { operators, gifters, attackers })
  const happened: string[] = []
  const rows: Row[] = []
  const stepMs = (scenario.periodHours * simulatedHourMs) / scenario.commitsPerPeriod

  const strike = (shock: Shock): void => {
    happened.push(`period ${world.period}: ${wordsOf(shock)}`)
    if (shock.kind === 'price') world.blyMicroDollars = (world.blyMicroDollars * shock.factorPpm) / 1e6
    else if (shock.kind === 'load') world.load = (world.load * shock.factorPpm) / 1e6
    else if (shock.kind === 'validators-down') operators.behave(world, 'absent', shock.sharePpm, shock.lasts)
    else if (shock.kind === 'validators-late') operators.behave(world, 'late', shock.sharePpm, shock.lasts)
    else if (shock.kind === 'validators-wrong') operators.behave(world, 'wrong', shock.sharePpm, shock.lasts)
    else if (shock.kind === 'double-sign') attackers.signTwice(world, shock.count, operators, reporter.account)
    else if (shock.kind === 'whale') attackers.buyStake(world, shock)
    else if (shock.kind === 'gifted-leave') gifters.leave(world, shock.sharePpm)
  }

  for (world.period = 1; world.period <= scenario.periods; world.period++) {
    for (const shock of scenario.shock) if (shock.period === world.period) strike(shock)
    operators.act(world)
    stakers.act(world)
    users.act(world, [...gifters.serving, ...operators.accounts.slice(0, 1)], gifters.serving)
    gifters.act(world)
    attackers.act(world)
    let stood = 0
    for (let left = scenario.commitsPerPeriod; left > 0; left--) {
      gifters.beat(world)
      if (!network.commit(stepMs, key => operators.conductOf(world, key))) stood++
    }
    rows.push(observer.row(world, stood / scenario.commitsPerPeriod))
    world.load *= 1 + scenario.users.growthPpm / growthParts
    if (world.period % fullCountPeriods === 0) requireStakeMatches(network.state)
  }
  requireStakeMatches(network.state)
  return {
    question: scenario.question,
    seed,
    periods: scenario.periods,
    periodHours: scenario.periodHours,
    answers: answersOf(scenario, rows),
    happened,
    rows,
    events: network.eventCounts,
    stateRoot: network.state.root()
  }
}

function wordsOf(shock: Shock): string {
  const percent = (ppm: number): string => `${ppm / 10_000} %`
  switch (shock.kind) {
    case 'price':
      return `the price of BLY becomes ${percent(shock.factorPpm)} of what it was`
    case 'load':
      return `what users ask for becomes ${percent(shock.factorPpm)} of what it was`
    case 'validators-down':
      return `${percent(shock.sharePpm)} of the validators are away for ${shock.lasts} periods`
    case 'validators-late':
      return `${percent(shock.sharePpm)} of the validators are late for ${shock.lasts} periods`
    case 'validators-wrong':
      return `${percent(shock.sharePpm)} of the validators sign wrong checkpoints for ${shock.lasts} periods`
    case 'double-sign':
      return `${shock.count} validators sign twice, and it is shown`
    case 'whale':
      return `somebody buys ${percent(shock.sharePpm)} of the stake, behind ${shock.validators} validators`
    case 'gifted-leave':
      return `${percent(shock.sharePpm)} of the gifted nodes leave`
    case 'vote-farming':
      return `${shock.voters} accounts of one person vote on everything for ${shock.lasts} periods`
  }
}
