/** Evidence against a holder, as people are shown it. Times RFC 3339, keys as text. */
export type ExpertEvidenceView = {
  readonly number: number
  /** Node key of the holder, and its peer id. */
  readonly holder: string
  readonly peerId: string
  /** Account that brought it. */
  readonly reporter: string
  readonly event: string
  /** CIDs of the tensors it is about. */
  readonly weights: readonly string[]
  readonly exhibits: number
  readonly time: string
}

/** What computing it again shows. */
export type ExpertEvidenceCheck = ExpertEvidenceView & {
  /** Whether every exhibit is proven. */
  readonly isProven: boolean
  readonly checked: readonly {
    readonly weights: string
    /** Of the row that the weights give: how far the signed one is, and how far an honest machine can be. */
    readonly difference: number
    readonly doubt: number
    readonly isProven: boolean
  }[]
}
