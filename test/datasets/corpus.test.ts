import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, open, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  buildCorpus,
  type CorpusProgress,
  checkShard,
  corpusLimits,
  packShards,
  readTexts
} from '../../src/datasets/index.ts'
import { openStore, temporaryFolder } from '../tiles/support.ts'
import { bytesOf, sampleText } from './texts.ts'

const run = promisify(execFile)
const mebibyte = 1024 * 1024

async function folderOf(t: TestContext, files: Record<string, string | Uint8Array>): Promise<string> {
  const folder = await temporaryFolder(t)
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), content)
  }
  return folder
}

test('a folder becomes training and held-out shards that hold its text and nothing else', async t => {
  const { tensors } = await openStore(t)
  const texts = ['one', 'two', 'three'].map(name => sampleText(60_000, name))
  const folder = await folderOf(t, { 'b.ts': texts[1]!, 'a/a.md': texts[0]!, 'c/d/e.txt': texts[2]! })
  const corpus = await buildCorpus({ folder, store: tensors })
  assert.equal(corpus.files, 3)
  assert.equal(corpus.full, false)
  assert.equal(corpus.trainingBytes + corpus.heldOutBytes, texts.join('').length + 3)
  for (const kind of ['training', 'heldOut'] as const) {
    const [shard] = corpus[kind]
    const { path, dataOffsetBytes } = tensors.info(shard!.cid)!
    const text = (await readFile(path)).subarray(dataOffsetBytes)
    assert.equal(text.length, shard!.bytes)
    assert.equal(checkShard(text, kind).wrongBlocks, 0)
    if (kind === 'training') assert.ok(text.subarray(0, 400).equals(Buffer.from(texts[0]!).subarray(0, 400)))
  }
})

test('the same text gives the same shards, in whatever order files were made and wherever they lie', async t => {
  const { tensors } = await openStore(t)
  const [one, two] = [sampleText(40_000, 'one'), sampleText(40_000, 'two')]
  const first = await buildCorpus({ folder: await folderOf(t, { 'a.md': one, 'b.md': two }), store: tensors })
  const second = await buildCorpus({ folder: await folderOf(t, { 'b.md': two, 'a.md': one }), store: tensors })
  assert.deepEqual(second, first)
  assert.match(first.name, /^text-[0-9a-f]{12}$/)
})

test('what is no text, hidden, a link, a pipe, a private key or empty is skipped and counted', async t => {
  const { tensors } = await openStore(t)
  const text = sampleText(50_000, 'kept')
  const folder = await folderOf(t, {
    'kept.txt': text,
    'picture.png': Uint8Array.from({ length: 5000 }, (_, index) => (index * 37) % 256),
    'latin.txt': Uint8Array.from([...bytesOf('caf'), 0xe9, ...bytesOf(' is not UTF-8')]),
    'controls.bin': Uint8Array.from({ length: 500 }, (_, index) => index % 8 || 1),
    'empty.md': '',
    '.env': 'PASSWORD=secret',
    '.git/config': text,
    'key.pem': `-----BEGIN RSA PRIVATE KEY-----\n${text}`,
    'turns.txt': Uint8Array.from([...bytesOf(sampleText(280_000, 'turns')), 0xff, 0xfe, ...bytesOf(text)])
  })
  await symlink(join(folder, 'kept.txt'), join(folder, 'link.txt'))
  await symlink(folder, join(folder, 'circle'))
  await run('mkfifo', [join(folder, 'pipe')])
  const corpus = await buildCorpus({ folder, store: tensors })
  assert.equal(corpus.files, 2)
  const counted = Object.fromEntries(Object.entries(corpus.skipped).filter(([, count]) => count > 0))
  assert.deepEqual(counted, { binary: 3, damaged: 1, empty: 1, hidden: 2, link: 2, 'private-key': 1, special: 1 })
  assert.ok(corpus.trainingBytes + corpus.heldOutBytes < 400_000, 'nothing behind the damage was read')
})

test('text that is there twice is taken once', async t => {
  const { tensors } = await openStore(t)
  const text = sampleText(80_000, 'twice')
  const corpus = await buildCorpus({ folder: await folderOf(t, { 'a.md': text, 'b.md': text }), store: tensors })
  assert.equal(corpus.trainingBytes + corpus.heldOutBytes, text.length + 1)
  assert.equal(corpus.duplicateBytes, text.length + 1)
})

test('a small text of which chance holds nothing out has some held out all the same', async t => {
  const { tensors } = await openStore(t)
  const text = sampleText(60_000, 'base')
  const corpus = await buildCorpus({ folder: await folderOf(t, { 'a.md': text }), store: tensors })
  assert.ok(corpus.heldOutBytes >= corpusLimits.heldOutBytesMin && corpus.heldOutBytes < text.length / 3)
  assert.equal(corpus.trainingBytes + corpus.heldOutBytes, text.length + 1)
  assert.equal(corpus.training[0]!.bytes, corpus.trainingBytes)
})

test('a single file stands for itself', async t => {
  const { tensors } = await openStore(t)
  const folder = await folderOf(t, { 'only.md': sampleText(50_000, 'only') })
  assert.equal((await buildCorpus({ folder: join(folder, 'only.md'), store: tensors })).files, 1)
})

test('folders that give nothing are refused by name and nothing is stored', async t => {
  const { tensors } = await openStore(t)
  const refused = async (files: Record<string, string | Uint8Array>, code: string, more: Record<string, number> = {}) =>
    assert.rejects(buildCorpus({ folder: await folderOf(t, files), store: tensors, ...more }), { code })
  await refused({}, 'CORPUS_EMPTY')
  await refused({ 'a.png': Uint8Array.of(0, 1, 2), '.hidden': 'text' }, 'CORPUS_EMPTY')
  await refused({ 'one.txt': 'x' }, 'CORPUS_TOO_SMALL')
  await refused({ 'few.txt': sampleText(9000, 'few') }, 'CORPUS_TOO_SMALL')
  await refused({ 'a.txt': 'x' }, 'CORPUS_LIMIT_INVALID', { bytesMax: 0 })
  await refused({ 'a.txt': 'x' }, 'CORPUS_LIMIT_INVALID', { bytesMax: 100 * 1024 ** 3 })
  await assert.rejects(buildCorpus({ folder: '/nowhere/at/all', store: tensors }), { code: 'CORPUS_UNREADABLE' })
  assert.deepEqual(tensors.list(), [])
})

test('reading stops when it is cancelled', async t => {
  const { tensors } = await openStore(t)
  const folder = await folderOf(t, { 'a.md': sampleText(300_000, 'a'), 'b.md': sampleText(50_000, 'b') })
  const cancel = new AbortController()
  const onProgress = () => cancel.abort()
  const reading = buildCorpus({ folder, store: tensors, signal: cancel.signal, onProgress })
  await assert.rejects(reading, { name: 'AbortError' })
})

test('a file of 100 GB that is no text costs one look at its beginning', async t => {
  const { tensors } = await openStore(t)
  const folder = await folderOf(t, { 'z.md': sampleText(60_000, 'small') })
  const handle = await open(join(folder, 'disk.img'), 'w')
  await handle.truncate(100 * 1024 ** 3)
  await handle.close()
  const corpus = await buildCorpus({ folder, store: tensors })
  assert.equal(corpus.skipped.binary, 1)
  assert.ok(corpus.readBytes < mebibyte)
})

/** 100 GB of text in 400 files, made as it is read; every second chunk is a copy of the one before. */
async function* endlessFiles(pulled: { bytes: number }) {
  const base = bytesOf(sampleText(256 * 1024, 'endless')).slice(0, 256 * 1024)
  async function* chunks(file: number) {
    for (let chunk = 0; chunk < 1000; chunk++) {
      const mark = bytesOf(String(1e6 + file * 500 + (chunk >> 1)))
      const bytes = new Uint8Array(base)
      for (let at = 0; at + 8 < bytes.length; at += 400) bytes.set(mark, at)
      pulled.bytes += bytes.length
      yield bytes
    }
  }
  for (let file = 0; file < 400; file++) yield { path: `${file}.txt`, chunks: chunks(file) }
}

/** What is left of the memory in use once all garbage is gone. */
function keptBytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

test('of 100 GB only as much is read as was asked for, and memory does not grow with it', async () => {
  const pulled = { bytes: 0 }
  let progress: CorpusProgress | undefined
  const bytesMax = 24 * mebibyte
  let takenBytes = 0
  let earlyBytes: number | undefined
  const onProgress = (next: CorpusProgress) => {
    progress = next
  }
  for await (const { bytes } of readTexts({ files: endlessFiles(pulled), limits: { bytesMax }, onProgress })) {
    takenBytes += bytes.length
    if (takenBytes > 4 * mebibyte) earlyBytes ??= keptBytes()
  }
  assert.equal(progress?.full, true)
  assert.ok(takenBytes > bytesMax - 8192 && takenBytes <= bytesMax)
  assert.ok(pulled.bytes > 44 * mebibyte && pulled.bytes < 54 * mebibyte, `${pulled.bytes} bytes were read`)
  assert.equal(progress.readBytes, pulled.bytes)
  const moreBytes = keptBytes() - earlyBytes!
  assert.ok(moreBytes < 4 * mebibyte, `${moreBytes} bytes more are kept`)
})

test('text beyond one shard goes into the next, and reading stops when the corpus is full', async t => {
  const { tensors } = await openStore(t)
  const pulled = { bytes: 0 }
  const bytesMax = 3 * mebibyte
  const corpus = await packShards({
    folder: 'generated',
    store: tensors,
    bytesMax,
    blocks: onProgress => readTexts({ files: endlessFiles(pulled), limits: { bytesMax }, onProgress })
  })
  assert.equal(corpus.full, true)
  assert.ok(corpus.training.length >= 3 && corpus.training.length <= corpusLimits.shardsMax)
  for (const { cid, bytes } of [...corpus.training, ...corpus.heldOut]) {
    assert.ok(bytes <= mebibyte)
    assert.equal(tensors.info(cid)!.dataLengthBytes, bytes)
  }
  assert.ok(corpus.trainingBytes + corpus.heldOutBytes > bytesMax - 8192)
})
