// Imports point downwards: a room may import only rooms that stand below it in docs/design.md's picture.
const rooms = {
  errors: [],
  codec: ['errors'],
  storage: ['codec', 'errors'],
  net: ['codec', 'errors'],
  consensus: ['storage', 'net', 'codec', 'errors'],
  dag: ['consensus', 'storage', 'codec', 'errors'],
  ledger: ['dag', 'codec', 'errors'],
  guardian: ['ledger', 'dag', 'codec', 'errors'],
  scenarios: ['learning', 'tiles', 'guardian', 'ledger', 'dag', 'consensus', 'codec', 'errors'],
  tiles: ['dag', 'storage', 'net', 'codec', 'errors'],
  experts: ['tiles', 'dag', 'storage', 'net', 'codec', 'errors'],
  datasets: ['tiles', 'dag', 'storage', 'codec', 'errors'],
  learning: ['datasets', 'experts', 'tiles', 'guardian', 'ledger', 'dag', 'net', 'storage', 'codec', 'errors'],
  models: ['experts', 'tiles', 'storage', 'codec', 'errors'],
  routing: ['experts', 'tiles', 'guardian', 'dag', 'net', 'codec', 'errors'],
  node: ['learning', 'datasets', 'routing', 'models', 'experts', 'tiles', 'guardian', 'ledger', 'dag', 'consensus', 'net', 'storage', 'codec', 'errors'],
  api: ['node', 'codec', 'errors'],
  cli: ['api', 'node', 'scenarios', 'experts', 'tiles', 'ledger', 'dag', 'consensus', 'net', 'storage', 'codec', 'errors']
}
const downwards = Object.entries(rooms).map(([room, below]) => ({
  name: `downwards-from-${room}`,
  severity: 'error',
  from: { path: `^src/${room}/` },
  to: { path: '^src/', pathNot: [`^src/${room}/`, ...below.map(name => `^src/${name}/`)] }
}))
const throughTheDoor = Object.keys(rooms).map(room => ({
  name: `through-the-door-of-${room}`,
  comment: 'Other rooms use what index.ts exports, and nothing behind it.',
  severity: 'error',
  from: { path: '^src/', pathNot: `^src/${room}/` },
  to: { path: `^src/${room}/`, pathNot: `^src/${room}/index\\.ts$` }
}))
module.exports = {
  forbidden: [
    ...downwards,
    ...throughTheDoor,
    {
      name: 'pure-cores-import-no-io',
      comment: 'The cores know no clock, network, disk, random source or logger.',
      severity: 'error',
      from: { path: ['^src/consensus/core/', '^src/dag/core/', '^src/routing/core/', '^src/tiles/maths/', '^src/datasets/core/', '^src/learning/core/', '^src/learning/chain/', '^src/ledger/', '^src/guardian/', '^src/scenarios/'] },
      to: { path: ['^src/(storage|net|node|api|cli)/', '^(node:)?(fs|net|http|https|os|dns|tls|child_process|worker_threads|timers|perf_hooks|crypto|process)', 'node_modules/(pino|libp2p|@libp2p|classic-level|helia|@helia|fastify|onnxruntime-node)'] }
    },
    { name: 'no-circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'declared-dependencies-only', severity: 'error', from: { path: '^src' }, to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev', 'unknown'] } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^src', pathNot: ['^src/cli/main\\.ts$', '^src/experts/engine/engine-process\\.ts$'] }, to: {} }
  ],
  options: { tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' }, tsConfig: { fileName: 'tsconfig.json' }, enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] } }
}
