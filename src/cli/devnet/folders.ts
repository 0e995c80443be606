import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { publicKeyFromText, scryptCosts } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { peerIdOfPublicKey } from '../../net/index.ts'
import {
  type FlagValues,
  importCreateGenesis,
  importInitialise,
  type KeyInfo,
  readSmallFile,
  writeFileDurably
} from '../../node/index.ts'

export type DevnetFolder = {
  readonly name: string
  readonly path: string
  readonly role: 'validator' | 'learner' | 'gifted'
}
export type Devnet = { readonly root: string; readonly genesisFile: string; readonly folders: readonly DevnetFolder[] }

type CreateGenesis = Awaited<ReturnType<typeof importCreateGenesis>>['createGenesis']
export type DevnetConsensus = NonNullable<Parameters<CreateGenesis>[0]['consensus']>
export type DevnetEconomy = NonNullable<Parameters<CreateGenesis>[0]['economy']>
export type DevnetArchitecture = NonNullable<Parameters<CreateGenesis>[0]['architecture']>

type Member = DevnetFolder & { readonly keys: readonly KeyInfo[]; readonly address: string }

const giftedSpecialisations = ['core', 'notary', 'registry'] as const
const descriptionFile = 'devnet.json'
const genesisBytesMax = 64 * 1024 * 1024

/** Makes the folders of a network on this machine, or finds those of an earlier run. */
export async function prepareDevnet(input: {
  readonly root: string
  readonly validators: number
  readonly learners: number
  /** Nodes that serve as gifted ones, each given by itself. */
  readonly gifted?: number
  /** Consensus fields of the genesis file that differ from the usual ones. */
  readonly consensus?: DevnetConsensus
  /** What differs from the economy of a network to try things in. */
  readonly economy?: DevnetEconomy
  /** Another first model than the usual one. */
  readonly architecture?: DevnetArchitecture
}): Promise<Devnet> {
  await mkdir(input.root, { recursive: true, mode: 0o700 })
  const found = await findDevnet(input.root)
  if (found !== undefined) {
    const validators = found.folders.filter(folder => folder.role === 'validator').length
    if (validators !== input.validators)
      throw new BlyanError('DEVNET_DIFFERS', { root: input.root, found: validators, asked: input.validators })
    await requireSameMode(found, input.consensus?.degraded)
    return found
  }
  const folders = [
    ...Array.from({ length: input.validators }, (_, i) => folderOf(input.root, `node-${i}`, 'validator')),
    ...Array.from({ length: input.learners }, (_, i) => folderOf(input.root, `learner-${i}`, 'learner')),
    ...Array.from({ length: input.gifted ?? 0 }, (_, i) => folderOf(input.root, `gifted-${i}`, 'gifted'))
  ]
  const ports = await freePorts(folders.length * 2)
  const members: Member[] = []
  for (const [place, folder] of folders.entries())
    members.push(await initialiseMember(folder, ports[2 * place]!, ports[2 * place + 1]!, giftedSettings(folder)))
  const genesisFile = join(input.root, 'genesis.json')
  const text = await genesisText(
    members.filter(member => member.role === 'validator'),
    members.filter(member => member.role === 'gifted').map(member => textOf(member.keys, 'account')),
    input
  )
  await writeFileDurably(genesisFile, text, { mode: 0o644 })
  const { initialiseDataFolder } = await importInitialise()
  for (const member of members) {
    const peers = members.filter(other => other !== member && other.role === 'validator').map(other => other.address)
    await initialiseDataFolder({
      path: member.path,
      genesis: { text, from: genesisFile },
      settings: { 'network.peers': peers },
      env: {},
      password: { passwordFile: null }
    })
  }
  // Last, so that a half-made network is made anew.
  await writeFileDurably(
    join(input.root, descriptionFile),
    JSON.stringify({ folders: folders.map(({ name, role }) => ({ name, role })) }),
    { mode: 0o600 }
  )
  return { root: input.root, genesisFile, folders }
}

/** The network that an earlier run made here, if there is one. */
export async function findDevnet(root: string): Promise<Devnet | undefined> {
  const text = await readSmallFile(join(root, descriptionFile))
  if (text === null) return undefined
  const { folders } = JSON.parse(text) as { folders: { name: string; role: DevnetFolder['role'] }[] }
  const genesisFile = join(root, 'genesis.json')
  if ((await readSmallFile(genesisFile, genesisBytesMax)) === null) return undefined
  return { root, genesisFile, folders: folders.map(({ name, role }) => folderOf(root, name, role)) }
}

function folderOf(root: string, name: string, role: DevnetFolder['role']): DevnetFolder {
  return { name, role, path: join(root, name) }
}

/** One after the other is for something else. */
function giftedSettings({ name, role }: DevnetFolder): FlagValues {
  if (role !== 'gifted') return {}
  const place = Number(name.slice(name.indexOf('-') + 1))
  return {
    'gifted.specialisation': giftedSpecialisations[place % giftedSpecialisations.length]!,
    'gifted.capacities': '100,100'
  }
}

async function initialiseMember(
  folder: DevnetFolder,
  networkPort: number,
  apiPort: number,
  more: FlagValues
): Promise<Member> {
  const { initialiseDataFolder } = await importInitialise()
  const listen = `/ip4/127.0.0.1/tcp/${networkPort}`
  const settings: FlagValues = {
    'network.listen': [listen],
    'api.port': apiPort,
    'node.roles': [folder.role],
    'node.name': folder.name,
    'node.origin': 'this machine',
    'node.region': 'local',
    ...more
  }
  const report = await initialiseDataFolder({
    path: folder.path,
    genesis: null,
    settings,
    env: {},
    password: { passwordFile: null },
    scryptCost: scryptCosts.light
  })
  return { ...folder, keys: report.keys, address: `${listen}/p2p/${peerIdOfPublicKey(keyOf(report.keys, 'node'))}` }
}

/** What a network does when a member is gone cannot be changed after it was made. */
async function requireSameMode({ root, genesisFile }: Devnet, asked: DevnetConsensus['degraded']): Promise<void> {
  if (asked === undefined) return
  const genesis = JSON.parse((await readSmallFile(genesisFile, genesisBytesMax))!) as { consensus: DevnetConsensus }
  const found = genesis.consensus.degraded ?? 'none'
  if (found !== asked)
    throw new BlyanError('USAGE', {
      reason: `the network in ${root} was made with degraded = "${found}"`,
      hint: 'leave --degraded away, or choose another folder with --data'
    })
}

async function genesisText(
  validators: readonly Member[],
  holders: readonly string[],
  {
    consensus,
    economy,
    architecture
  }: {
    readonly consensus?: DevnetConsensus
    readonly economy?: DevnetEconomy
    readonly architecture?: DevnetArchitecture
  }
): Promise<string> {
  const { createGenesis } = await importCreateGenesis()
  const file = await createGenesis({
    ...(consensus === undefined ? {} : { consensus }),
    ...(economy === undefined ? {} : { economy }),
    ...(architecture === undefined ? {} : { architecture }),
    network: 'devnet',
    createdAt: new Date().toISOString(),
    modelSeed: 'blyan-devnet',
    holders,
    validators: validators.map(({ name, keys }) => ({
      name,
      publicKey: textOf(keys, 'validator'),
      peerId: peerIdOfPublicKey(keyOf(keys, 'node')),
      account: textOf(keys, 'account'),
      origin: 'this machine',
      region: 'local'
    }))
  })
  return `${JSON.stringify(file, null, 2)}\n`
}

function textOf(keys: readonly KeyInfo[], name: string): string {
  return keys.find(key => key.name === name)!.publicKey
}

function keyOf(keys: readonly KeyInfo[], name: string): Uint8Array {
  return publicKeyFromText(textOf(keys, name))
}

/** Held open together, so that no two are the same. Somebody else may take one before we do: `start` says so then. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      server =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject)
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
        })
    )
  )
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}
