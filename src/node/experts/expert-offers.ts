import { type CanonicalValue, decodeCanonical, encodeCanonical } from '../../codec/index.ts'
import { type Network, protocolIds } from '../../net/index.ts'

/** An expert that a node would like to see in more places, and how often it used it of late. */
export type ExpertOffer = { readonly tensor: string; readonly uses: number }

/** Asks peers which experts are hot, and tells them ours. Wire format: docs/protocol.md, "Hot experts". */
export interface ExpertOffers {
  /** What one more peer offers, in turn; empty when it has nothing or does not answer. */
  askNext(): Promise<readonly ExpertOffer[]>
}

export const offersMax = 64
/** What a peer says counts no more than this: it costs nothing to say. */
export const offerUsesMax = 100_000
const answerBytesMax = 16 * 1024
const askTimeoutMs = 3_000

export function createExpertOffers(needs: {
  readonly network: Pick<Network, 'serve' | 'request' | 'peers'>
  readonly offered: () => readonly ExpertOffer[]
}): ExpertOffers {
  return new NetworkExpertOffers(needs.network, needs.offered)
}

export function encodeOffers(offers: readonly ExpertOffer[]): Uint8Array {
  const some = offers.slice(0, offersMax)
  return encodeCanonical(some.map(({ tensor, uses }) => [tensor, Math.min(offerUsesMax, Math.round(uses))]))
}

/** Undefined for what is no list of offers. */
export function decodeOffers(bytes: Uint8Array): readonly ExpertOffer[] | undefined {
  let value: CanonicalValue
  try {
    value = decodeCanonical(bytes, { sizeBytesMax: answerBytesMax })
  } catch {
    return undefined
  }
  if (!Array.isArray(value) || value.length > offersMax) return undefined
  const offers = value.map(offerOf)
  return offers.every(offer => offer !== undefined) ? offers : undefined
}

function offerOf(value: CanonicalValue): ExpertOffer | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined
  const [tensor, uses] = value
  if (typeof tensor !== 'string' || tensor.length > 128) return undefined
  if (typeof uses !== 'number' || !Number.isInteger(uses) || uses < 0 || uses > offerUsesMax) return undefined
  return { tensor, uses }
}

class NetworkExpertOffers implements ExpertOffers {
  readonly #network: Pick<Network, 'request' | 'peers'>
  #last = ''

  constructor(network: Pick<Network, 'serve' | 'request' | 'peers'>, offered: () => readonly ExpertOffer[]) {
    this.#network = network
    network.serve(protocolIds.hotExperts, async () => encodeOffers(offered()))
  }

  async askNext(): Promise<readonly ExpertOffer[]> {
    const peerIds = this.#network
      .peers()
      .map(({ peerId }) => peerId)
      .sort()
    const peerId = peerIds.find(id => id > this.#last) ?? peerIds[0]
    if (peerId === undefined) return []
    this.#last = peerId
    try {
      const answer = await this.#network.request(peerId, protocolIds.hotExperts, new Uint8Array(), askTimeoutMs)
      return decodeOffers(answer) ?? []
    } catch {
      return []
    }
  }
}
