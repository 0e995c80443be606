import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { prepareDevnet } from '../../src/cli/devnet/folders.ts'
import { loadConfig } from '../../src/node/config.ts'
import { type BlyanNode, type FlagValues, obtainPassword, openDataFolder } from '../../src/node/index.ts'
import { openKeyStore, unlockNodeKeys } from '../../src/node/key-store.ts'
import { createRootLogger } from '../../src/node/logging.ts'
import { startNode } from '../../src/node/start-node.ts'

export type NodesWanted = {
  /** Settings of each node; the first is the only validator, the others follow. */
  readonly settings: readonly FlagValues[]
}

/** Real nodes of one new network, in this process, connected and ready; they end with the test. */
export async function startNodes(t: TestContext, { settings }: NodesWanted): Promise<BlyanNode[]> {
  const root = mkdtempSync(join(tmpdir(), 'blyan-nodes-'))
  const nodes: BlyanNode[] = []
  const releases: (() => Promise<unknown>)[] = []
  t.after(async () => {
    await Promise.all(nodes.map(node => node.stop()))
    for (const release of releases) await release()
    rmSync(root, { recursive: true, force: true })
  })
  const consensus = { heartbeatMs: 100, checkpointIntervalMs: 100 }
  const { folders } = await prepareDevnet({ root, validators: 1, learners: settings.length - 1, consensus })
  for (const [place, folder] of folders.entries()) {
    // Each knows those before it: they are all connected to each other.
    const known = (await Promise.all(nodes.map(node => node.status()))).flatMap(({ addresses }) => addresses)
    const flags = { 'log.level': 'silent', 'experts.device': 'cpu', 'network.peers': known, ...settings[place] }
    const { config } = await loadConfig({ dataFolder: folder.path, flags, env: {} })
    const password = await obtainPassword({ passwordFile: join(folder.path, 'keys', 'password') }, '')
    const dataFolder = await openDataFolder(folder.path)
    const keys = await unlockNodeKeys(openKeyStore(join(folder.path, 'keys')), password, config.node.roles)
    const logger = createRootLogger({ ...config.log, logsFolder: dataFolder.paths.logsFolder })
    releases.push(
      () => dataFolder.release(),
      () => logger.close()
    )
    nodes.push(await startNode({ dataFolder, config, keys, logger, version: '0.0.0' }))
  }
  await until(() =>
    nodes.every(node => node.notReadyReasons().length === 0 && node.peers().length === settings.length - 1)
  )
  return nodes
}

/** Waits for what happens by itself. */
export async function until(isSo: () => boolean | Promise<boolean>, timeoutMs = 60_000): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`it is not so after ${timeoutMs} ms`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
