import { measureApplyShare } from './ledger/apply-share.ts'
import { LedgerLoad } from './ledger/load.ts'
import { measureLedgerThroughput } from './ledger/throughput.ts'
import { withNetwork } from './network.ts'
import type { Options, Result } from './report.ts'

const validators = 4

export async function ledgerSuite(options: Options): Promise<Result[]> {
  return withNetwork({ validators, learners: 0 }, async network => {
    const load = new LedgerLoad(network, options)
    try {
      await load.fund()
      return [...(await measureLedgerThroughput(load, options)), ...(await measureApplyShare(load, options))]
    } finally {
      load.close()
    }
  })
}
