import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ChainVerification, dataFolderPaths } from '../../src/node/index.ts'
import { unpackOldDataFolder } from '../storage/old-data-folder.ts'
import { blyan, ProcessNetwork, scratchFolder, until } from './network-of-processes.ts'

test('a data folder of the version before checksums opens, verifies from genesis, and goes on', async t => {
  const root = scratchFolder(t)
  const path = join(root, 'node-0')
  mkdirSync(join(path, 'logs'), { recursive: true })
  unpackOldDataFolder(path)
  const network = new ProcessNetwork({
    root,
    genesisFile: join(path, 'genesis.json'),
    folders: [{ name: 'node-0', path, role: 'validator' }]
  })
  t.after(() => network.killAll())
  await network.start(0)
  assert.equal((await network.status(0)).events.final, 50)
  assert.equal(readFileSync(dataFolderPaths(path).versionFile, 'utf8').trim(), '2')
  const { sequence } = await network.note(0, 'after the upgrade')
  assert.equal(sequence, 51)
  const verdict = await (await network.daemon(0)).json<ChainVerification>({ path: '/v0/chains/verify' })
  assert.deepEqual([verdict.valid, verdict.reason, verdict.since], [true, null, null])
  await network.stop(0)
  await network.start(0)
  await until('everything is there after another start', async () => (await network.status(0)).events.final === 51)

  // The same file with one letter changed: another network, which this folder never belonged to.
  await network.stop(0)
  const genesis = join(path, 'genesis.json')
  writeFileSync(genesis, readFileSync(genesis, 'utf8').replace('"region": "local"', '"region": "lokal"'))
  const refused = await blyan(['start', '--data', path])
  assert.equal(refused.code, 3, refused.stderr)
  assert.match(refused.stderr, /^GENESIS_CHANGED: .* belongs to genesis baf\w+, and the genesis file is now baf\w+/)
})
