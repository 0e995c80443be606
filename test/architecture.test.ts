import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = new URL('../src/', import.meta.url).pathname
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .sort()
const textOf = (name: string) => readFileSync(join(root, name), 'utf8')

/** The code without its comments and the insides of its strings. */
function codeOf(name: string): string {
  return textOf(name)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''")
}

/** One class, one job, whose parts would have to know all of each other if they were apart. */
const longFiles: Record<string, number> = { 'consensus/core/replica.ts': 570 }

test('every room has an index that says in its first lines what the room is for', () => {
  const rooms = readdirSync(root, { withFileTypes: true }).filter(entry => entry.isDirectory())
  assert.ok(rooms.length >= 8)
  for (const { name } of rooms) {
    const lines = textOf(`${name}/index.ts`).split('\n')
    assert.equal(lines[0], '/**', name)
    assert.ok(lines[1]!.startsWith(` * ${name}: `), `${name}: ${lines[1]}`)
    const end = lines.indexOf(' */')
    assert.ok(end >= 3 && end <= 9, name)
  }
})

test('no file is too long to read at once', () => {
  for (const name of files) {
    const lines = textOf(name).split('\n').length - 1
    assert.ok(lines <= (longFiles[name] ?? 400), `${name}: ${lines} lines`)
  }
  for (const name of Object.keys(longFiles)) assert.ok(files.includes(name), `${name} is gone: take it off the list`)
})

test('nothing is exported by default, and no syntax is used that cannot be erased', () => {
  const banned = {
    'a default export': /^export default\b/m,
    'an enum': /^\s*(export )?(declare )?(const )?enum \w/m,
    'a namespace': /^\s*(export )?(declare )?(namespace|module) \w/m,
    'a parameter property': /constructor\s*\([^)]*\b(public|private|protected|readonly)\s+\w+\s*[:?]/,
    'a decorator': /^\s*@\w+(\(|\s*$)/m
  }
  for (const name of files)
    for (const [what, pattern] of Object.entries(banned)) assert.ok(!pattern.test(codeOf(name)), `${name} has ${what}`)
})

test('what decides knows no clock, no chance, no process and no disk', () => {
  const pure = files.filter(name =>
    /^(consensus\/core|dag\/core|routing\/core|tiles\/maths|datasets\/core|learning\/core|learning\/chain|ledger|guardian|scenarios)\//.test(
      name
    )
  )
  assert.ok(pure.length >= 20)
  const banned =
    /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bset(Timeout|Interval|Immediate)\b|\bperformance\.|\bprocess\.|\bconsole\.|\bfetch\(|\brandom(Bytes|UUID|Int)\b|\bawait\b/
  for (const name of pure) {
    const found = banned.exec(codeOf(name))
    assert.equal(found, null, `${name} has ${found?.[0]}`)
    for (const [, from] of textOf(name).matchAll(/from '(node:[^']+)'/g))
      assert.ok(from === 'node:buffer', `${name} imports ${from}`)
  }
})

test('a short command loads nothing heavy: what the command line begins with reaches no engine, network or ledger', () => {
  const reached = new Set<string>()
  const open = ['cli/main.ts', 'cli/commands/status.ts']
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (reached.has(name)) continue
    reached.add(name)
    for (const [statement, from] of textOf(name).matchAll(/^(?:import|export)\b[^;]*?from '(\.[^']+)'/gms))
      if (!/^(import|export) type\b/.test(statement)) open.push(join(name, '..', from!))
  }
  assert.ok(reached.has('node/index.ts') && reached.size > 15)
  const heavy = [...reached].filter(name => /^(storage|net|consensus|dag|ledger|guardian|tiles|experts)\//.test(name))
  assert.deepEqual(heavy, [])
})

test('no file is called after nothing in particular', () => {
  for (const name of files) assert.doesNotMatch(name, /(^|[/-])(utils?|helpers?|common|misc|managers?)\.ts$/)
})
