import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { parameterOf } from '../../src/ledger/parameters.ts'
import { pauseOf } from '../../src/ledger/votes/index.ts'
import { type DataFolder, openDataFolder } from '../../src/node/index.ts'
import { type RunningApi, startApi } from '../api/api-fixture.ts'
import { withLedger } from '../api/ledger-double.ts'
import { operatorKey } from '../ledger/ledger-world.ts'
import { VotesWorld } from '../ledger/votes-world.ts'
import { type CliResult, cli } from './cli-fixture.ts'

/** The commands of votes as processes, against the real API over a real ledger. */
const base = mkdtempSync(join(tmpdir(), 'blyan-votes-'))
const world = new VotesWorld()
let folder: DataFolder
let running: RunningApi

before(async () => {
  folder = await openDataFolder(join(base, 'node'))
  running = await startApi({ after: () => {} }, await folder.tokens())
  withLedger(running.node, world)
  await folder.announceApi(running.url)
})
after(async () => {
  await running.api.stop()
  await folder.release()
  rmSync(base, { recursive: true, force: true })
})

const here = (...args: string[]): Promise<CliResult> => cli([...args, '--data', join(base, 'node')])
const codeOf = ({ docs }: CliResult) => (docs[0]?.error as { code: string } | undefined)?.code

test('a parameter is proposed, voted on and changed, and everybody sees who did it', async () => {
  const made = await here(
    'proposal',
    'new',
    'parameters',
    'feeUnits=0.25',
    'unbondingMs=14d',
    '--title',
    'cheaper',
    '--json'
  )
  assert.equal(made.code, 0, made.stderr)
  assert.equal(made.docs[0]!.proposal, 1)
  const voted = await here('proposal', 'vote', '1', 'yes')
  assert.match(voted.stdout, /yes on proposal 1/)
  world.votes(1, 'yes', 1)
  const [shown, listed, twice] = await Promise.all([
    here('proposal', 'show', '1'),
    here('proposal', 'list'),
    here('proposal', 'vote', '1', 'no', '--json')
  ])
  assert.match(shown.stdout, /feeUnits = 0.25 BLY, unbondingMs = 14d/)
  assert.match(shown.stdout, /by stake: 33.4% must vote, more than 50%/)
  assert.match(shown.stdout, /200000 BLY yes, 0 BLY no, 0 BLY abstain, of 400000 BLY/)
  assert.match(listed.stdout, /1 +parameters +cheaper +open +2/)
  assert.equal(codeOf(twice), 'VOTE_TWICE')
  world.close(1)
  assert.equal(parameterOf(world.state, world.genesis, 'feeUnits'), 250_000_000n)
  const [all, one] = await Promise.all([here('parameters'), here('parameters', 'feeUnits', '--json')])
  assert.match(all.stdout, /unbondingMs +14d +21d +1s +366d +proposal 1/)
  assert.deepEqual([one.docs[0]!.value, one.docs[0]!.proposal], ['250000000', 1])
})

test('an emergency is proposed, and what a file says is proposed as it is', async () => {
  const file = join(base, 'proposal.json')
  writeFileSync(file, JSON.stringify({ kind: 'text', title: 'from a file', text: '' }))
  const pause = ['security_breach', 'pause_network', '--duration', '2h', '--title', 'stolen']
  const made = await here('proposal', 'new', 'emergency', ...pause, '--json')
  assert.equal(made.code, 0, made.stderr)
  const id = Number(made.docs[0]!.proposal)
  world.votes(id, 'yes', 0, 1, 2)
  world.commit()
  assert.equal(pauseOf(world.state)!.untilMs, world.nowMs + 7_200_000)
  const shown = await here('proposal', 'show', String(id))
  const [fromFile, withdrawn] = await Promise.all([
    here('proposal', 'new', 'file', file, '--json'),
    here('proposal', 'withdraw', String(id), '--json')
  ])
  assert.match(shown.stdout, /in-force/, shown.stderr)
  assert.match(shown.stdout, /3 validators for it/)
  assert.equal(fromFile.code, 0, fromFile.stderr)
  assert.equal(withdrawn.code, 0, withdrawn.stderr)
  world.commit()
  assert.equal(pauseOf(world.state), undefined)
  assert.equal(world.vote(operatorKey(3), id), 'PROPOSAL_CLOSED')
})
