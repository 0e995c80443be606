import { count, dayMs, duration, type Parameter, partsPerMillion } from './parameter.ts'

export const slashingParameters = {
  doubleSignPpm: partsPerMillion(100_000n, 'stake lost by signing twice'),
  doubleSignBanMs: duration(30n * dayMs, 'ban after signing twice'),
  downtimePpmPerDay: partsPerMillion(1000n, 'stake lost for each whole day away'),
  downtimeAfterMs: duration(dayMs, 'time away after which a validator is jailed'),
  invalidProposalPpm: partsPerMillion(50_000n, 'stake lost by signing what breaks the rules'),
  invalidProposalBanMs: duration(7n * dayMs, 'ban after signing what breaks the rules'),
  censorshipPpm: partsPerMillion(200_000n, 'stake lost by leaving others out'),
  censorshipBanMs: duration(90n * dayMs, 'ban after leaving others out'),
  censorshipRounds: count(
    400n,
    { min: 100n, max: 1_000_000n },
    'vertices of a validator that are looked at, at least, before it is judged'
  ),
  censorshipSharePpm: {
    ...partsPerMillion(250_000n, 'share of them in which another was left out that makes it censorship'),
    min: 100_000n
  },
  appealMs: duration(7n * dayMs, 'how long after a punishment it can be appealed')
} as const satisfies Record<string, Parameter>
