import assert from 'node:assert/strict'
import { test } from 'node:test'
import { durationText, SyncProgress, syncText } from '../../src/node/sync-progress.ts'

const commits = (commit: number, targetCommit: number) => ({
  phase: 'commits' as const,
  commit,
  targetCommit,
  bytesDone: 0,
  bytesTotal: 0
})
const snapshot = (bytesDone: number) => ({
  phase: 'snapshot' as const,
  commit: 0,
  targetCommit: 90_000,
  bytesDone,
  bytesTotal: 100_000_000
})

test('the rate is that of the last seconds, and the time left follows from it', () => {
  const progress = new SyncProgress()
  assert.deepEqual(progress.see(1000, commits(0, 3000)), {
    ...commits(0, 3000),
    commitsPerSecond: 0,
    bytesPerSecond: 0,
    etaMs: null
  })
  assert.equal(progress.see(2000, commits(500, 3000))!.commitsPerSecond, 500)
  assert.equal(progress.see(3000, commits(1000, 3000))!.etaMs, 4000)
  // It stands still for longer than the window: the old speed is forgotten.
  for (let atMs = 4000; atMs <= 15_000; atMs += 1000) progress.see(atMs, commits(1000, 3000))
  const stalled = progress.see(16_000, commits(1000, 3000))!
  assert.deepEqual([stalled.commitsPerSecond, stalled.etaMs], [0, null])
})

test('looking often costs no memory and changes no rate', () => {
  const progress = new SyncProgress()
  let seen = progress.see(0, commits(0, 1_000_000))
  for (let atMs = 1; atMs <= 60_000; atMs++) seen = progress.see(atMs, commits(atMs, 1_000_000))
  assert.equal(seen!.commitsPerSecond, 1000)
})

test('each phase has its own rate, and there is none when nothing is caught up', () => {
  const progress = new SyncProgress()
  progress.see(0, snapshot(0))
  const half = progress.see(10_000, snapshot(50_000_000))!
  assert.deepEqual([half.bytesPerSecond, half.etaMs], [5_000_000, 10_000])
  assert.equal(syncText(half), 'snapshot: 50.0 of 100.0 MB (50%), 5.0 MB a second, 10 s left')
  // The snapshot is installed: 90,000 commits at once are no speed.
  const after = progress.see(11_000, commits(90_000, 90_500))!
  assert.deepEqual([after.commitsPerSecond, after.etaMs], [0, null])
  assert.equal(syncText(after), 'commits: commit 90000 of 90500, 0 a second, time left unknown')
  assert.equal(progress.see(12_000, undefined), null)
})

test('time left reads like time', () => {
  assert.deepEqual([0, 900, 119_000, 121_000, 7_300_000].map(durationText), [
    '0 s',
    '1 s',
    '119 s',
    '3 min',
    '2 h 2 min'
  ])
})
