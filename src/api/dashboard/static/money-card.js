import { card, element, setText } from './elements.js'
import { coins, duration } from './format.js'

/** What this node has, what it earns, and how many coins there are. Empty for a network without an economy. */
export function createMoneyCard(client) {
  const names = ['Spendable', 'Staked', 'Earned by staking', 'This period', 'Circulating', 'Issued this year']
  const rows = names.map(name => ({ name, value: element('dd') }))
  const list = element(
    'dl',
    { class: 'facts' },
    rows.flatMap(({ name, value }) => [element('dt', {}, name), value])
  )
  const none = element('p', { class: 'faint none' }, 'This network has no economy.')
  none.hidden = true
  const node = card('Coins', {}, list, none)

  async function refresh() {
    const ask = path => client.json(path).catch(() => undefined)
    const [account, supply, period] = await Promise.all(['/v0/account', '/v0/supply', '/v0/rewards/running'].map(ask))
    const hasEconomy = period !== undefined
    list.hidden = account === undefined
    none.hidden = hasEconomy || account === undefined
    if (account === undefined) return
    const bly = supply?.coins.find(one => one.coin === 'BLY')
    const texts = [
      `${coins(account.balances.BLY)} BLY`,
      `${coins(account.staked)} BLY`,
      `${coins(account.earned)} BLY`,
      period === undefined ? '–' : periodText(period, account.account),
      bly === undefined ? '–' : `${coins(bly.circulating)} BLY`,
      supply?.issuance === undefined || supply.issuance === null
        ? '–'
        : `${coins(supply.issuance.issued)} of at most ${coins(supply.issuance.yearMost)}`
    ]
    for (const [place, text] of texts.entries()) setText(rows[place].value, text)
  }
  return { node, refresh }
}

function periodText(period, account) {
  const own = period.validators.find(validator => validator.operator === account)
  const endsInMs = new Date(period.endsAt).getTime() - Date.now()
  const ends = endsInMs > 0 ? `, ends in ${duration(endsInMs)}` : ', about to be settled'
  return own === undefined ? `number ${period.period}${ends}` : `+${coins(own.rewardUnits)} BLY so far${ends}`
}
