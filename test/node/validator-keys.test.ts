import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Committee, createCommittee, writeSignerFloor } from '../../src/consensus/index.ts'
import { dataFolderPaths } from '../../src/node/index.ts'
import {
  isValidatorKeyName,
  nextValidatorKeyName,
  numberOfValidatorKey,
  signerStateFileOf
} from '../../src/node/validator-key-names.ts'
import { OwnValidatorKeys } from '../../src/node/validator-keys.ts'
import { keyOf } from '../dag/small-network.ts'

const setOf = (...names: string[]): Committee =>
  createCommittee(
    0,
    names.map(name => ({
      name,
      publicKey: keyOf(name).publicKey,
      peerId: name,
      origin: '',
      region: '',
      weight: 1
    }))
  )

test('keys of rotations are numbered, each with a floor file of its own', () => {
  const paths = dataFolderPaths('/data')
  assert.equal(nextValidatorKeyName(['node', 'account']), 'validator')
  assert.equal(nextValidatorKeyName(['validator', 'node']), 'validator-2')
  assert.equal(nextValidatorKeyName(['validator-10', 'validator-9', 'validator']), 'validator-11')
  assert.deepEqual(['validator', 'validator-2', 'validator-17'].map(numberOfValidatorKey), [1, 2, 17])
  for (const name of ['validator-1', 'validator-02', 'validators', 'validator-x', 'node'])
    assert.equal(isValidatorKeyName(name), false, name)
  assert.equal(signerStateFileOf(paths, 'validator'), paths.signerStateFile)
  assert.equal(signerStateFileOf(paths, 'validator-2'), '/data/signer-state-2.json')
})

test('in each epoch the key signs that its set knows, above what that very key has signed', t => {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-keys-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const paths = dataFolderPaths(folder)
  const floor = { epoch: 1, round: 70, digest: 'ab'.repeat(32), checkpointSequence: 3, checkpointDigest: '' }
  writeSignerFloor(signerStateFileOf(paths, 'validator'), floor)
  writeSignerFloor(signerStateFileOf(paths, 'validator-2'))
  const keys = new OwnValidatorKeys(paths, [{ name: 'validator', key: keyOf('old') }])
  t.after(() => keys.close())
  assert.equal(keys.selfOf(setOf('a', 'b')), undefined)
  const before = keys.selfOf(setOf('a', 'old'))!
  assert.deepEqual([before.index, before.signer.floor], [1, floor])
  assert.equal(keys.selfOf(setOf('a', 'new')), undefined)
  keys.add({ name: 'validator-2', key: keyOf('new') })
  keys.add({ name: 'validator-2', key: keyOf('another') })
  const after = keys.selfOf(setOf('new', 'a'))!
  assert.deepEqual([after.index, after.signer.floor?.round], [0, 0])
  assert.equal(keys.selfOf(setOf('old'))!.signer, before.signer)
  assert.equal(keys.hasSigned, true)
  assert.equal(keys.selfOf(setOf('another')), undefined)
})
