import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type DataFolder, openDataFolder } from '../../src/node/index.ts'
import { type RunningApi, startApi } from '../api/api-fixture.ts'
import { type CliResult, cli } from './cli-fixture.ts'

/** The command line as people and scripts meet it: real processes against the real API over a double of the node. */
const base = mkdtempSync(join(tmpdir(), 'blyan-cli-'))
const data = join(base, 'node')
let folder: DataFolder
let running: RunningApi

before(async () => {
  folder = await openDataFolder(data)
  running = await startApi({ after: () => {} }, await folder.tokens())
  await folder.announceApi(running.url)
})
after(async () => {
  await running.api.stop()
  await folder.release()
  rmSync(base, { recursive: true, force: true })
})

const here = (args: readonly string[], input?: string | Uint8Array): Promise<CliResult> =>
  cli([...args, '--data', data], input === undefined ? {} : { input })

function assertClearError(result: CliResult, exitCode: number, code: string): void {
  assert.equal(result.code, exitCode, result.stdout + result.stderr)
  assert.match(result.stderr + result.stdout, new RegExp(code))
  assert.doesNotMatch(result.stderr + result.stdout, /\n\s+at .+:\d+:\d+/)
  assert.ok(result.stderr.trim().split('\n').length <= 3, result.stderr)
}

test('mistakes on the command line exit 2 with a suggestion', async () => {
  const [command, flag, group, choice, payload, number, data] = await Promise.all([
    cli(['stauts']),
    cli(['status', '--jsno']),
    cli(['event']),
    cli(['chain', 'show', 'E']),
    here(['event', 'submit', '--type', 'note', '--payload', 'text']),
    cli(['event', 'list', '--limit', '0']),
    cli(['status', '--data'])
  ])
  for (const result of [command, flag, group, choice, payload, number, data]) assertClearError(result, 2, 'USAGE')
  assert.match(command.stderr, /status/)
  assert.match(flag.stderr, /--json/)
  assert.match(group.stderr, /submit, show, list, proof, verify/)
})

test('no daemon exits 6, also with a stale address; waiting in vain exits 7', async () => {
  const stale = join(base, 'stale')
  const left = await openDataFolder(stale)
  await left.tokens()
  writeFileSync(left.paths.apiFile, JSON.stringify({ url: running.url, pid: 2 ** 30, startMark: 'x' }))
  const [none, old, wait] = await Promise.all([
    cli(['status', '--json', '--data', join(base, 'nobody')]),
    cli(['status', '--data', stale]),
    cli(['wait', '--for', 'ready', '--timeout', '0', '--data', stale])
  ])
  await left.release()
  assertClearError(none, 6, 'DAEMON_NOT_REACHABLE')
  assert.equal((none.docs[0]!.error as { code: string }).code, 'DAEMON_NOT_REACHABLE')
  assertClearError(old, 6, 'DAEMON_NOT_REACHABLE')
  assertClearError(wait, 7, 'NOT_READY_IN_TIME')
})

test('status, peers, wait and log level answer as JSON alone on stdout, and for people without', async () => {
  const [status, human, peers, wait, level] = await Promise.all([
    here(['status', '--json']),
    here(['status']),
    here(['peers']),
    here(['wait', '--for', 'ready', '--timeout', '5', '--json']),
    here(['logs', 'level', '*', 'debug', '--json'])
  ])
  assert.deepEqual([status.code, status.docs.length, status.docs[0]?.schema], [0, 1, 'blyan.status/1'])
  assert.match(human.stdout, /one of four may fail/)
  assert.match(human.stdout, /connected, round 3, in time 75%, 12 ms late/)
  assert.match(human.stdout, /origin "cloud-1" \(2 of 4 validators\): NO, the network would stop/)
  assert.match(human.stdout, /lately +2026-01-01T00:00:00Z {2}validator v2 is gone/)
  assert.match(peers.stdout, /connected, round 3, in time 75%/)
  assert.equal(human.stdout.includes('\u001b'), false)
  assert.match(peers.stdout, /12D3KooW1/)
  assert.equal(wait.docs[0]?.ready, true)
  assert.equal(level.docs[0]?.level, 'debug')
})

test('an event is submitted byte for byte, shown, listed and proven', async () => {
  const note = Uint8Array.of(0, 255, 10, 13, 200)
  const submitted = await here(['event', 'submit', '--type', 'note', '--payload', '-', '--json'], note)
  assert.deepEqual([submitted.code, submitted.docs[0]?.final], [0, true], submitted.stderr)
  const request = running.node.submitted[0]!
  assert.deepEqual('payload' in request && new Uint8Array(request.payload), note)
  writeFileSync(join(base, 'structured.json'), '{"a":1}')
  const proof = join(base, 'proof')
  const [structured, shown, proven, unknown] = await Promise.all([
    here(['event', 'submit', '--type', 'structured', '--payload', `@${join(base, 'structured.json')}`, '--no-wait']),
    here(['event', 'show', String(submitted.docs[0]?.eventId), '--json']),
    here(['event', 'proof', String(submitted.docs[0]?.eventId), '-o', proof, '--json']),
    here(['event', 'submit', '--type', 'nonsense', '--payload', '-'], 'x')
  ])
  assert.equal(structured.code, 0, structured.stderr)
  assert.equal((shown.docs[0]!.prepared as string[]).length, 3)
  assert.deepEqual([proven.code, readFileSync(proof).length], [0, 3])
  assertClearError(unknown, 1, 'nonsense')
  const listed = await here(['event', 'list', '--json', '--limit', '100000'])
  assert.deepEqual(
    listed.docs.map(doc => `${doc.sequence}:${doc.eventId}:${doc.type}`),
    ['0:event0:note', '1:event1:structured']
  )
})

test('an event that a validator has still to confirm is no failure: it says what is missing and exits 0', async () => {
  running.node.lacks = ['v2']
  const [json, human] = await Promise.all([
    here(['event', 'submit', '--type', 'note', '--payload', '-', '--json'], 'one'),
    here(['event', 'submit', '--type', 'note', '--payload', '-'], 'two')
  ])
  running.node.lacks = []
  assert.deepEqual([json.code, json.docs[0]?.final, json.docs[0]?.finality], [0, false, 'degraded'], json.stderr)
  assert.deepEqual(json.docs[0]?.missing, ['v2'])
  assert.equal(human.code, 0, human.stderr)
  assert.match(human.stdout, /missing +v2 must confirm it; it is ordered, and turns final then/)
})

test('validators are listed, changes of the set are handed in, and offences are shown', async () => {
  const key = 'z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'
  const [list, approve, withdraw, wrong, offences] = await Promise.all([
    here(['validator', 'list']),
    here(['validator', 'approve', key, '--json']),
    here(['validator', 'withdraw', 'remove', '--key', key, '--json']),
    here(['validator', 'withdraw', 'join']),
    here(['evidence', 'list', '--json'])
  ])
  assert.match(list.stdout, /v1 +z6Mk/)
  assert.match(list.stdout, /epoch +2, since/)
  assert.deepEqual([approve.code, approve.docs[0]?.final], [0, true])
  assert.equal(withdraw.code, 0, withdraw.stderr)
  const asked = running.node.submitted.map(request =>
    'payload' in request ? Buffer.from(request.payload).toString() : ''
  )
  assert.ok(asked.includes(JSON.stringify({ change: 'approve', validator: key })), asked.join())
  assert.ok(asked.includes(JSON.stringify({ change: 'withdraw', what: 'remove', validator: key })), asked.join())
  assertClearError(wrong, 2, 'cannot be withdrawn')
  assert.deepEqual([offences.docs[0]?.round, offences.docs[0]?.name], [9, 'v1'])
})

test('a note over 64 KiB is refused before it is sent', async () => {
  const before = running.node.submitted.length
  assertClearError(
    await here(['event', 'submit', '--type', 'note', '--payload', '-'], 'x'.repeat(65_537)),
    1,
    'INPUT_TOO_LARGE'
  )
  assert.equal(running.node.submitted.length, before)
})

test('a tensor goes in and comes back byte for byte; bad files are named', async () => {
  const [file, back, bad] = [join(base, 'a.npy'), join(base, 'back.npy'), join(base, 'bad.npy')]
  writeFileSync(file, Buffer.alloc(5 << 20, 7))
  writeFileSync(bad, Buffer.alloc(5 << 20, 255))
  const put = await here(['tensor', 'put', file, '--json'])
  assert.deepEqual([put.code, put.docs[0]?.sizeBytes], [0, 5 << 20], put.stderr)
  const cid = String(put.docs[0]?.cid)
  const [got, shown, verified, pinned, refused, missing, kind] = await Promise.all([
    here(['tensor', 'get', cid, '-o', back]),
    here(['tensor', 'show', cid, '--json']),
    here(['tensor', 'verify', cid, '--json']),
    here(['tensor', 'pin', cid]),
    here(['tensor', 'put', bad]),
    here(['tensor', 'put', join(base, 'missing.npy')]),
    here(['tensor', 'put', join(base, 'proof.exe')])
  ])
  assert.equal(got.code, 0, got.stderr)
  assert.ok(readFileSync(back).equals(readFileSync(file)))
  assert.deepEqual([shown.docs[0]?.cid, verified.docs[0]?.valid, pinned.code], [cid, true, 0])
  assertClearError(refused, 1, 'REQUEST_INVALID')
  assertClearError(missing, 1, 'FILE_UNREADABLE')
  assertClearError(kind, 2, 'USAGE')
})

test('chains, checkpoints and experts are read', async () => {
  const [blocks, verified, checkpoint, experts] = await Promise.all([
    here(['chain', 'show', 'A', '--json']),
    here(['chain', 'verify', '--json']),
    here(['checkpoint', 'show', '--json']),
    here(['expert', 'list', '--json'])
  ])
  assert.deepEqual(
    [blocks.docs[0]?.cid, verified.docs[0]?.valid, checkpoint.docs[0]?.sequence, experts.docs[0]?.name],
    ['bafyA', true, 7, 'expert-0']
  )
})
