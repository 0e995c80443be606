/**
 * storage: files that never change, and an IPFS blockstore that serves parts of them by reference.
 * In: finished files with the digests of their leaves, small blocks, pins, a libp2p host.
 * Out: blocks for Bitswap, blocks from peers, temporary files that become durable under their name.
 * Never touches: what a tensor is, chains, consensus; it keeps no second copy of a leaf.
 */
export type { Collection, RegisteredFile } from './block-records.ts'
export {
  type Database,
  type OpenOptions,
  openDatabase,
  type Range,
  tableKey,
  tableRange,
  type Write
} from './database.ts'
export { databaseFolders, declareReady, emptyStaging, moveAside, putReadyInPlace } from './database-folder.ts'
export { codeOf, diskError, onDisk } from './disk-errors.ts'
export type { ImmutableFiles, TemporaryFile } from './immutable-files.ts'
export { createIpfs, type Ipfs, type IpfsNeeds } from './ipfs.ts'
export { recordName } from './record-names.ts'
export {
  type BlockSource,
  type BlockstoreLimits,
  defaultBlockstoreLimits,
  openReferenceBlockstore,
  type ReferenceBlockstore,
  type ReferencedFile,
  type ReferencedLeaf,
  type SmallBlock
} from './reference-blockstore.ts'
