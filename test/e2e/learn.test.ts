import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ExpertView, LearningStatus } from '../../src/node/index.ts'
import { quickLearning, tinyArchitecture, writeTexts } from '../learning/learning-network.ts'
import { bin, blyan, processNetwork, quietEconomy, until } from './network-of-processes.ts'

/** These phases end as soon as all is there: it is only on a busy machine that they take long. */
const patience = { learningRevealMs: '15000', learningAggregateMs: '20000', learningMeasureMs: '40000' }

/** A command that goes on until it is ended. */
class Command {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  text = ''

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.setEncoding('utf8').on('data', (piece: string) => {
        this.text += piece
      })
    this.ended = new Promise(resolve => this.child.once('close', resolve))
  }

  says(pattern: RegExp): Promise<void> {
    return until(String(pattern), async () => pattern.test(this.text) || this.child.exitCode !== null, 30_000)
  }
}

test('a newcomer learns with the command line alone, and what goes wrong is said', { timeout: 180_000 }, async t => {
  const network = await processNetwork(t, 1, 1, undefined, {
    economy: { parameters: { ...quietEconomy.parameters, ...quickLearning, ...patience } },
    architecture: tinyArchitecture
  })
  await network.start(0)
  const [node, follower] = network.folders.map(({ path }) => path) as [string, string]
  const texts = writeTexts(join(network.devnet.root, 'texts'), 1)
  const expert = async (name: string) =>
    (await network.daemon(0)).json<ExpertView & { tensors: string[] }>({ path: `/v0/experts/${name}` })

  await t.test('folders without text are refused with what is wrong with them', async () => {
    const folders: [string, Uint8Array][] = [
      ['empty', new Uint8Array(0)],
      ['one-byte', Uint8Array.of(65)],
      ['binary', Uint8Array.from({ length: 50_000 }, (_, at) => (at * 7919) % 256)]
    ]
    for (const [name, bytes] of folders) {
      const folder = join(network.devnet.root, name)
      mkdirSync(folder)
      writeFileSync(join(folder, 'file.txt'), bytes)
      const { code, stderr } = await blyan(['learn', folder, '--data', node])
      assert.equal(code, 1, `${name}: ${stderr}`)
      assert.match(stderr, /^CORPUS_(EMPTY|TOO_SMALL): /m, name)
    }
  })

  await t.test('one expert is trained alone, adopted, and the old version stays usable', async () => {
    const before = await expert('layer0.expert0')
    const { code, stdout, stderr } = await blyan([
      'learn',
      texts,
      '--data',
      node,
      '--experts',
      'layer0.expert0',
      '--steps',
      '160'
    ])
    assert.equal(code, 0, `${stderr}${stdout}`)
    assert.match(stdout, /adopted: it is the newest version now/)
    const after = await expert('layer0.expert0')
    assert.deepEqual(after.tensors, [...before.tensors, after.tensor])
    const old = ['--part', `layer0.expert0=${before.tensor}`]
    const [now, then] = await Promise.all(
      [[], old].map(more =>
        blyan(['run', 'the net', '--seed', '1', '--max-tokens', '24', ...more, '--json', '--data', node])
      )
    )
    assert.deepEqual([now!.code, then!.code], [0, 0], then!.stderr)
    const shown = await blyan(['expert', 'show', 'layer0.expert0', '--data', node])
    assert.match(shown.stdout, /proposal/)
  })

  await t.test('one delta is accepted, and paid', async () => {
    const { code, stdout, stderr } = await blyan(['learn', '--data', texts, '--data', node, '--once'])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /round \d+: accepted, gain \d+\.\d+ nats per token, .*, earned \d/)
  })

  await t.test('what nobody measured is no version of a part', async () => {
    const { tensor, shape, block } = await expert('layer0.expert1')
    const older = (await expert('layer0.expert1')).tensors[0]
    const file = join(network.devnet.root, 'payload.json')
    const payload = {
      name: 'layer0.expert0',
      layer: 0,
      tensor: older,
      shape,
      parent: (await expert('layer0.expert0')).block
    }
    assert.notEqual(older, tensor)
    assert.ok(block.length > 0)
    writeFileSync(file, JSON.stringify(payload))
    const { code, stderr } = await blyan([
      'event',
      'submit',
      '--type',
      'expert',
      '--payload',
      `@${file}`,
      '--data',
      node
    ])
    assert.equal(code, 1)
    assert.match(stderr, /PART_NOT_MEASURED/)
  })

  await t.test('a second learn is refused, and Ctrl+C ends the first in order', async () => {
    const first = new Command(['learn', texts, '--data', node])
    await first.says(/to learn from/)
    const other = writeTexts(join(network.devnet.root, 'other'), 2)
    const second = await blyan(['learn', other, '--data', node])
    assert.equal(second.code, 1)
    assert.match(second.stderr, /LEARNING_RUNNING: this node learns from .*texts already/)
    first.child.kill('SIGINT')
    assert.equal(await first.ended, 0, first.text)
    assert.match(first.text, /stopped after \d+ steps/)
    const status = await (await network.daemon(0)).json<LearningStatus>({ path: '/v0/learning' })
    assert.deepEqual([status.state, status.learner], ['off', null])
  })

  await t.test('without a daemon the node is started for it, and ends with it', async () => {
    const command = new Command(['learn', '--data', texts, '--data', follower])
    await command.says(/to learn from/)
    assert.match(command.text, /no node runs in .*: it is started for this/)
    command.child.kill('SIGINT')
    assert.equal(await command.ended, 0, command.text)
    const status = await blyan(['status', '--data', follower])
    assert.equal(status.code, 6)
  })

  await t.test('when the node dies the command says so', async () => {
    const command = new Command(['learn', texts, '--data', node])
    await command.says(/to learn from/)
    await network.kill(0)
    assert.equal(await command.ended, 6, command.text)
    assert.match(command.text, /DAEMON_(GONE|NOT_REACHABLE)/)
  })
})
