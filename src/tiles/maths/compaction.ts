/** When a part's chain of updates is due to be replaced by a snapshot; the seed's three triggers. */
export const compactionLimits = {
  updatesMax: 10,
  /** Of the bytes of the part. */
  updateBytesShareMax: 0.5,
  loadMsMax: 50
} as const

export type ChainCost = {
  /** Since the last snapshot, with the one about to be published. */
  readonly updates: number
  readonly updateBytes: number
  readonly partBytes: number
  /** How long this machine takes to make the newest version from the snapshot; null: not measured. */
  readonly loadMs: number | null
}

/** Whether the next version is to be published whole. Only a publisher asks: readers take what is on chain. */
export function mustCompact({ updates, updateBytes, partBytes, loadMs }: ChainCost): boolean {
  const { updatesMax, updateBytesShareMax, loadMsMax } = compactionLimits
  return (
    updates > updatesMax || updateBytes > partBytes * updateBytesShareMax || (loadMs !== null && loadMs > loadMsMax)
  )
}
