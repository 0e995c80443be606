import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { describeError, isBlyanError } from '../../src/errors/index.ts'
import { configFields, defaultConfigToml, loadConfig, withConfigValue } from '../../src/node/config.ts'
import { editDistance, nearestWord } from '../../src/node/suggestion.ts'

function folderWith(toml: string | null): string {
  const folder = mkdtempSync(join(tmpdir(), 'blyan-config-'))
  if (toml !== null) writeFileSync(join(folder, 'config.toml'), toml)
  made.push(folder)
  return folder
}

const made: string[] = []
after(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
})

test('a flag wins over a variable, a variable over the file, the file over the default', async () => {
  const dataFolder = folderWith('[network]\nmaxPeers = 3\n')
  const flags = { 'network.maxPeers': 1 }
  const env = { BLYAN_NETWORK_MAX_PEERS: '2', PATH: '/bin' }
  const tried = [
    [{ dataFolder, flags, env }, 1, 'flag'],
    [{ dataFolder, flags: {}, env }, 2, 'environment'],
    [{ dataFolder, flags: {}, env: {} }, 3, 'file'],
    [{ dataFolder: folderWith(null), flags: {}, env: {} }, 64, 'default']
  ] as const
  for (const [input, value, origin] of tried) {
    const { config, origins } = await loadConfig(input)
    assert.deepEqual([config.network.maxPeers, origins['network.maxPeers']], [value, origin])
  }
})

test('whatever is set where, the first of the order is taken and named', async () => {
  const dataFolder = folderWith(null)
  const maybe = fc.option(fc.integer({ min: 1, max: 4096 }), { nil: undefined })
  await fc.assert(
    fc.asyncProperty(maybe, maybe, maybe, async (flag, variable, file) => {
      writeFileSync(join(dataFolder, 'config.toml'), file === undefined ? '' : `network.maxPeers = ${file}`)
      const env = variable === undefined ? {} : { BLYAN_NETWORK_MAX_PEERS: String(variable) }
      const { config, origins } = await loadConfig({ dataFolder, flags: { 'network.maxPeers': flag }, env })
      assert.equal(config.network.maxPeers, flag ?? variable ?? file ?? 64)
      const origin =
        flag !== undefined ? 'flag' : variable !== undefined ? 'environment' : file !== undefined ? 'file' : 'default'
      assert.equal(origins['network.maxPeers'], origin)
    }),
    { numRuns: 50 }
  )
})

test('unknown words are refused with a suggestion', async () => {
  const cases: readonly [string | null, Record<string, string>, RegExp, RegExp][] = [
    ['[network]\nmaxPears = 3\n', {}, /"network.maxPears"/, /network\.maxPeers/],
    ['[netwrok]\n', {}, /"netwrok"/, /network/],
    ['port = 1\n', {}, /"port"/, /./],
    [null, { BLYAN_API_PROT: '1' }, /BLYAN_API_PROT/, /BLYAN_API_PORT/]
  ]
  for (const [toml, env, message, hint] of cases) {
    await assert.rejects(loadConfig({ dataFolder: folderWith(toml), flags: {}, env }), error => {
      assert.ok(isBlyanError(error, 'CONFIG_KEY_UNKNOWN'))
      assert.match(error.message, message)
      assert.match(error.nextStep, hint)
      return describeError(error).exitCode === 3
    })
  }
})

test('a value that cannot be is named with its key, where it stands and what may be', async () => {
  const cases: readonly [string | null, Record<string, string>, RegExp][] = [
    ['[api]\nport = 70000\n', {}, /api\.port cannot be 70000 \(from .*config\.toml\).*65535/],
    ['[api]\nport = "4630"\n', {}, /api\.port cannot be "4630"/],
    [null, { BLYAN_NODE_ROLES: 'king' }, /node\.roles.*BLYAN_NODE_ROLES.*validator/],
    [null, { BLYAN_NETWORK_PEERS: '1.2.3.4:4620' }, /network\.peers.*\/ip4\//],
    [null, { BLYAN_API_PORT: '' }, /api\.port/]
  ]
  for (const [toml, env, message] of cases) {
    await assert.rejects(
      loadConfig({ dataFolder: folderWith(toml), flags: {}, env }),
      error => isBlyanError(error, 'CONFIG_VALUE_INVALID') && message.test(error.message)
    )
  }
  await assert.rejects(loadConfig({ dataFolder: folderWith('[api\n'), flags: {}, env: {} }), error =>
    isBlyanError(error, 'CONFIG_FILE_INVALID')
  )
})

test('variables that are no settings are left alone', async () => {
  const env = { BLYAN_DATA: '/x', BLYAN_BIN: 'y', BLYAN_KEEP_ALL_BINARIES: '1', BLYAN_PASSWORD_FILE: '/secret' }
  const { passwordFile } = await loadConfig({ dataFolder: folderWith(null), flags: {}, env })
  assert.equal(passwordFile, '/secret')
})

test('relative files of config.toml start in the data folder', async () => {
  const dataFolder = folderWith('[keys]\npasswordFile = "keys/password"\n')
  const { config, passwordFile } = await loadConfig({ dataFolder, flags: {}, env: {} })
  assert.equal(config.network.genesisFile, join(dataFolder, 'genesis.json'))
  assert.equal(passwordFile, join(dataFolder, 'keys/password'))
})

test('the written template is read back as it was meant, and every field has its own flag and variable', async () => {
  const settings = {
    'network.peers': ['/ip4/1.2.3.4/tcp/1'],
    'node.roles': ['validator'],
    'experts.enabled': false,
    'node.name': 'a b'
  }
  const { config, origins } = await loadConfig({
    dataFolder: folderWith(defaultConfigToml(settings)),
    flags: {},
    env: {}
  })
  assert.deepEqual(
    [config.network.peers, config.node.roles, config.experts.enabled, config.node.name],
    [['/ip4/1.2.3.4/tcp/1'], ['validator'], false, 'a b']
  )
  assert.deepEqual(Object.values(origins).filter(origin => origin === 'file').length, 4)
  for (const name of ['flag', 'environment'] as const)
    assert.equal(new Set(configFields.map(field => field[name])).size, configFields.length)
  assert.throws(() => Object.assign(config.network, { maxPeers: 1 }))
})

test('setting one value leaves the rest of the file as it is', async () => {
  const before = '# mine\n[api]\nport = 1 \n# last\n[log]\nlevel = "warn"\n'
  const after = withConfigValue(withConfigValue(before, 'api.port', 2), 'node.name', 'x')
  assert.match(after, /^# mine\n\[api\]\nport = 2\n# last\n\[log\]\nlevel = "warn"/)
  const { config } = await loadConfig({ dataFolder: folderWith(after), flags: {}, env: {} })
  assert.deepEqual([config.api.port, config.node.name, config.log.level], [2, 'x', 'warn'])
})

test('edit distance is zero for equal words only, symmetric and no more than the longer word; only near words are suggested', () => {
  const word = fc.string({ maxLength: 12 })
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b)
      assert.equal(distance === 0, a === b)
      assert.equal(distance, editDistance(b, a))
      assert.ok(distance <= Math.max(a.length, b.length))
    }),
    { numRuns: 100 }
  )
  assert.equal(nearestWord('stauts', ['start', 'status']), 'status')
  assert.equal(nearestWord('sing', ['checkpoint']), undefined)
})
