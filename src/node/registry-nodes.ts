import type { Network } from '../net/index.ts'

type RegistryNode = { readonly peerId: string; readonly addresses: string[] }

const nodesMax = 64
const addressesMax = 4
const addressCharactersMax = 192
/** Of all addresses together, so that the record fits its limit. */
const charactersMax = 32 * 1024

/** What the holder of the registry publishes: itself, and peers it is connected to, where they are known to be reached. */
export function registryNodes(
  network: Pick<Network, 'peerId' | 'peers' | 'addresses' | 'knownAddresses'>
): RegistryNode[] {
  const there = new Set([network.peerId, ...network.peers().map(({ peerId }) => peerId)])
  const nodes = new Map<string, string[]>()
  let characters = 0
  for (const address of [...network.addresses(), ...network.knownAddresses()]) {
    const peerId = /\/p2p\/([1-9A-HJ-NP-Za-km-z]{32,64})$/.exec(address)?.[1]
    if (peerId === undefined || !there.has(peerId) || address.length > addressCharactersMax) continue
    const addresses = nodes.get(peerId) ?? []
    if (addresses.length >= addressesMax || (addresses.length === 0 && nodes.size >= nodesMax)) continue
    if (addresses.includes(address) || characters + address.length > charactersMax) continue
    characters += address.length
    nodes.set(peerId, [...addresses, address])
  }
  return [...nodes].map(([peerId, addresses]) => ({ peerId, addresses }))
}
