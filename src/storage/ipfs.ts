import { type BitswapOptions, withBitswap } from '@helia/bitswap'
import type { ComponentLogger, Libp2p } from '@libp2p/interface'
import { BaseBlockstore } from 'blockstore-core'
import type { BlockBroker, createHeliaLight as CreateHeliaLight } from 'helia'
import type { Blockstore } from 'interface-blockstore'
import type { CID } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'

/**
 * The IPFS side of the node: Helia, assembled from parts over the libp2p host that the node made.
 * No bootstrap list, delegated routing or HTTP gateway comes with it; blocks are asked of, and served
 * to, the peers that are connected. The caller starts and stops libp2p.
 */
export interface Ipfs {
  start(): Promise<void>
  stop(): Promise<void>
  /**
   * A block from a connected peer. Bitswap finds a block by the hash of what arrived, so the bytes
   * belong to the CID. Nothing is stored: whoever asked knows where the bytes belong.
   */
  fetchBlock(cid: CID, options?: { signal?: AbortSignal }): Promise<Uint8Array>
}

export type IpfsNeeds = {
  readonly libp2p: Libp2p
  readonly blockstore: Blockstore
  readonly logger?: ComponentLogger
}

const bitswapOptions: BitswapOptions = {
  // Each arriving block resets this timer too, so any wait holds back new wants while blocks stream in.
  sendWantlistDebounce: 0,
  // One message may carry all leaves a peer wanted; ten seconds are too few for them on a slow line.
  messageSendTimeout: 60_000,
  messageReceiveTimeout: 60_000,
  sendBlocksTimeout: 60_000,
  // A peer that lost a block and asks again is answered after this time.
  doNotResendBlockWindow: 1_000,
  maxInboundStreams: 256,
  maxOutboundStreams: 256,
  maxWantlistSize: 512
}

/** 8 MiB of leaves. */
const arrivedBlocksMax = 32

export async function createIpfs(needs: IpfsNeeds): Promise<Ipfs> {
  return new HeliaIpfs(needs, await importHeliaLight())
}

/**
 * Helia's door also loads WebRTC, UPnP, ACME and an HTTP client: 1,400 modules and a second of processor time at every start,
 * for what we leave out. Its one class is a file of its own; where a version has no such file, the door it is.
 */
async function importHeliaLight(): Promise<typeof CreateHeliaLight> {
  try {
    const { Helia } = await import(new URL('helia.js', import.meta.resolve('helia')).href)
    return init => new Helia({ name: 'helia', version: '7', ...init })
  } catch {
    return (await import('helia')).createHeliaLight
  }
}

class HeliaIpfs implements Ipfs {
  readonly #helia: ReturnType<typeof CreateHeliaLight>
  #bitswap: BlockBroker | undefined
  /** Blocks on their way, and the last ones that came. */
  readonly #recent = new Map<string, Promise<Uint8Array>>()
  #arrived: string[] = []

  constructor({ libp2p, blockstore, logger }: IpfsNeeds, createHeliaLight: typeof CreateHeliaLight) {
    const helia = createHeliaLight({ blockstore: new ReadOnlyBlockstore(blockstore), logger })
    // Helia's own `get` hashes a block once more than Bitswap does and stores it; we ask Bitswap itself.
    const addBlockBroker = helia.addBlockBroker.bind(helia)
    const host = Object.assign(helia, {
      libp2p,
      addBlockBroker: (broker: BlockBroker) => {
        this.#bitswap = broker
        addBlockBroker(broker)
      }
    })
    this.#helia = withBitswap(host, bitswapOptions)
  }

  async start(): Promise<void> {
    await this.#helia.start()
  }

  async stop(): Promise<void> {
    this.#recent.clear()
    this.#arrived = []
    await this.#helia.stop()
  }

  async fetchBlock(cid: CID, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    if (this.#bitswap?.retrieve === undefined) throw new BlyanError('IPFS_NOT_STARTED')
    const name = cid.toString()
    const recent = this.#recent.get(name)
    if (recent !== undefined) return unlessAborted(recent, options.signal)
    const arriving = this.#bitswap.retrieve(cid, options)
    this.#recent.set(name, arriving)
    try {
      const bytes = await arriving
      this.#keepForOthers(name)
      return bytes
    } catch (error) {
      this.#recent.delete(name)
      throw error
    }
  }

  /** A peer does not send a block twice in a row, so two who want one at about the same time share it. */
  #keepForOthers(name: string): void {
    this.#arrived.push(name)
    if (this.#arrived.length > arrivedBlocksMax) this.#recent.delete(this.#arrived.shift()!)
  }
}

/** Waits for what another caller asked for, but no longer than this one wants to. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  const aborted = Promise.withResolvers<never>()
  const onAbort = () => aborted.reject(signal.reason)
  if (signal.aborted) onAbort()
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** What Helia may do with our blocks: serve them. Storing them is for whoever fetched them. */
class ReadOnlyBlockstore extends BaseBlockstore {
  readonly #blockstore: Blockstore

  constructor(blockstore: Blockstore) {
    super()
    this.#blockstore = blockstore
  }

  override has(cid: CID): boolean | Promise<boolean> {
    return this.#blockstore.has(cid)
  }

  override get(cid: CID): Generator<Uint8Array> | AsyncGenerator<Uint8Array> {
    return this.#blockstore.get(cid)
  }

  override put(cid: CID): CID {
    return cid
  }
}
