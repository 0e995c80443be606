/** Seeds that failed once, and what each showed; they stay for ever. */
export const failedOnce: readonly { readonly seed: number; readonly showed: string }[] = [
  { seed: 66, showed: 'an answer with commits of the next epoch held a node for ever at the end of its own' },
  { seed: 30062, showed: 'a liar that orders and never signs left a gap in the certificates that nobody could cross' },
  { seed: 30309, showed: 'after a rollback a vertex named an own parent older than the one its round stood on' },
  { seed: 30470, showed: 'invented references starved true ones of their turn to be fetched' },
  { seed: 40003, showed: 'a vertex stored and not shown was shown after a restart without raising the floor' },
  {
    seed: 101092,
    showed: 'order was held, and the only certificate that would free it was with one who had no round to say so'
  },
  {
    seed: 101686,
    showed: 'a node far behind asks for more vertices than the judge allowed: up to what it has heard of'
  }
]
