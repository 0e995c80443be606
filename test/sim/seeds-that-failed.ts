/** Seeds that failed once, and what each showed; they stay for ever. */
export const failedOnce: readonly { readonly seed: number; readonly showed: string }[] = [
  { seed: 66, showed: 'an answer with commits of the next epoch held a node for ever at the end of its own' }
]
