import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createRootLogger } from '../../src/node/logging.ts'

const base = mkdtempSync(join(tmpdir(), 'blyan-logs-'))
after(() => rmSync(base, { recursive: true, force: true }))

function captured(isTTY: boolean) {
  const lines: string[] = []
  return { lines, stderr: { isTTY, write: (line: string) => lines.push(line) } }
}

test('a log is JSON without a terminal and for people on one', async () => {
  const plain = captured(false)
  const logger = createRootLogger({ level: 'info', format: 'auto', logsFolder: null, stderr: plain.stderr })
  logger.component('net').info({ peers: 3 }, 'connected')
  const line = JSON.parse(plain.lines[0]!) as Record<string, unknown>
  assert.deepEqual([line.level, line.component, line.peers, line.msg], ['info', 'net', 3, 'connected'])
  assert.match(String(line.time), /^\d{4}-.*Z$/)
  const terminal = captured(true)
  createRootLogger({ level: 'info', format: 'auto', logsFolder: null, stderr: terminal.stderr }).info('hello')
  assert.throws(() => JSON.parse(terminal.lines[0]!))
})

test('a component changes its level while it runs, and nobody else does', () => {
  const { lines, stderr } = captured(false)
  const logger = createRootLogger({ level: 'warn', format: 'json', logsFolder: null, stderr })
  const [net, api] = [logger.component('net'), logger.component('api')]
  logger.setLevel('net', 'debug')
  net.debug('a')
  api.debug('b')
  assert.equal(lines.length, 1)
  logger.setLevel('*', 'silent')
  net.error('c')
  logger.error('d')
  assert.equal(lines.length, 1)
  assert.throws(() => logger.setLevel('net', 'loud'), RangeError)
  assert.throws(() => logger.setLevel('nobody', 'info'), RangeError)
})

test('the log file keeps every line and never more than fifty megabytes', async () => {
  const logger = createRootLogger({ level: 'info', format: 'json', logsFolder: base, stderr: captured(false).stderr })
  const filler = 'x'.repeat(1 << 20)
  for (let count = 0; count < 65; count++) {
    logger.info({ count, filler }, 'much')
    if (count % 5 === 0) await new Promise(resolve => setTimeout(resolve, 5))
  }
  await logger.close()
  const files = readdirSync(base)
  assert.deepEqual(files.sort(), ['node.log', 'node.log.1', 'node.log.2', 'node.log.3', 'node.log.4'])
  assert.ok(files.every(file => statSync(join(base, file)).size < 12 << 20))
  const counts = files.reverse().flatMap(file =>
    readFileSync(join(base, file), 'utf8')
      .trim()
      .split('\n')
      .filter(Boolean)
      .map(line => (JSON.parse(line) as { count: number }).count)
  )
  assert.deepEqual(
    counts,
    Array.from({ length: counts.length }, (_, index) => 65 - counts.length + index)
  )
})
