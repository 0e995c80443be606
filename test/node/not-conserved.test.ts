import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { prepareDevnet } from '../../src/cli/devnet/folders.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const forger = new URL('coin-forger.ts', import.meta.url).href
const endsWithinMs = 60_000

function start(folder: string, imports: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  const flags = imports.map(url => `--import=${url}`)
  const child = spawn(process.execPath, [...flags, main, 'start', '--data', folder], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: endsWithinMs
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', chunk => (stderr += chunk))
  return new Promise(resolve => child.on('close', code => resolve({ code, stderr })))
}

test('a coin out of nothing stops the node at its next checkpoint, says so, and the exit code is not 0', async t => {
  const root = mkdtempSync(join(tmpdir(), 'blyan-forged-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const consensus = { heartbeatMs: 100, checkpointCommitsMax: 8 }
  const { folders } = await prepareDevnet({ root, validators: 1, learners: 0, consensus })
  const stopped = await start(folders[0]!.path, [forger])
  assert.equal(stopped.code, 1, stopped.stderr)
  assert.match(stopped.stderr, /LEDGER_NOT_CONSERVED: the accounts of BLY add up to 1 base units more than there are/)
  assert.match(stopped.stderr, /chain verify/)
})
