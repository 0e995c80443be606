import type { RegisterCommand } from './context.ts'

export type CommandEntry = {
  readonly name: string
  readonly summary: string
  readonly load: () => Promise<{ readonly register: RegisterCommand }>
}

/** Every command, in the order of the help text. A command's file is loaded when it is called. */
export const commandTable: readonly CommandEntry[] = [
  { name: 'init', summary: 'make configuration, keys and data folder', load: () => import('./commands/init.ts') },
  { name: 'start', summary: 'run the daemon in the foreground', load: () => import('./commands/start.ts') },
  { name: 'stop', summary: 'stop the daemon', load: () => import('./commands/stop.ts') },
  { name: 'status', summary: 'what is going on', load: () => import('./commands/status.ts') },
  { name: 'peers', summary: 'who is connected', load: () => import('./commands/peers.ts') },
  { name: 'wait', summary: 'block until the node is ready', load: () => import('./commands/wait.ts') },
  { name: 'doctor', summary: 'what is wrong with this machine', load: () => import('./commands/doctor.ts') },
  {
    name: 'devnet',
    summary: 'a whole network on this machine, to try everything',
    load: () => import('./commands/devnet.ts')
  },
  { name: 'event', summary: 'submit, show, list, prove and verify events', load: () => import('./commands/event.ts') },
  {
    name: 'account',
    summary: 'coins of an account: free, staked, earned and held',
    load: () => import('./commands/account.ts')
  },
  { name: 'transfer', summary: 'send coins', load: () => import('./commands/transfer.ts') },
  {
    name: 'hold',
    summary: 'pay for a service in steps: quote, authorise, capture, credit',
    load: () => import('./commands/hold.ts')
  },
  {
    name: 'supply',
    summary: 'where all coins are, and how many may still be issued',
    load: () => import('./commands/supply.ts')
  },
  { name: 'chain', summary: 'read blocks, check what is on disk', load: () => import('./commands/chain.ts') },
  { name: 'checkpoint', summary: 'what validators signed', load: () => import('./commands/checkpoint.ts') },
  {
    name: 'validator',
    summary: 'who the validators are; join, leave, edit, unjail, change keys, approve',
    load: () => import('./commands/validator.ts')
  },
  { name: 'stake', summary: 'stake BLY with a validator', load: () => import('./commands/stake.ts') },
  {
    name: 'unstake',
    summary: 'take stake out, or cancel that; what is staked and when it is free',
    load: () => import('./commands/unstake.ts')
  },
  {
    name: 'rewards',
    summary: 'what was earned and how it was computed; claim it, check it',
    load: () => import('./commands/rewards.ts')
  },
  {
    name: 'evidence',
    summary: 'validators that signed twice, holders that answered wrong; check it',
    load: () => import('./commands/evidence.ts')
  },
  {
    name: 'slashes',
    summary: 'validators that were punished, and the evidence',
    load: () => import('./commands/slashes.ts')
  },
  {
    name: 'continuity',
    summary: "health of the owner's node, and who does its work when it fails",
    load: () => import('./commands/continuity.ts')
  },
  {
    name: 'gifted',
    summary: 'nodes that people give to the network, and what they earn',
    load: () => import('./commands/gifted.ts')
  },
  {
    name: 'meter',
    summary: 'what metered services cost, and charging for them',
    load: () => import('./commands/meter.ts')
  },
  {
    name: 'treasury',
    summary: 'coins of the treasury, and what it decided about growth',
    load: () => import('./commands/treasury.ts')
  },
  {
    name: 'proposal',
    summary: 'put something to a vote, vote, see what became of it',
    load: () => import('./commands/proposal.ts')
  },
  {
    name: 'parameters',
    summary: 'the numbers that votes can change, and who set them',
    load: () => import('./commands/parameters.ts')
  },
  {
    name: 'simulate',
    summary: 'what would happen to the economy if: scenarios, offline',
    load: () => import('./commands/simulate.ts')
  },
  { name: 'snapshot', summary: 'make, check and restore snapshots', load: () => import('./commands/snapshot.ts') },
  { name: 'chat', summary: 'ask a model, in one turn or many', load: () => import('./commands/chat.ts') },
  { name: 'run', summary: 'one prompt in, the answer out: for scripts', load: () => import('./commands/run.ts') },
  {
    name: 'learn',
    summary: 'train the model of the network on your texts, and see how it goes',
    load: () => import('./commands/learn.ts')
  },
  { name: 'tensor', summary: 'store, fetch, show and check tensors', load: () => import('./commands/tensor.ts') },
  { name: 'model', summary: 'import models and list them', load: () => import('./commands/model.ts') },
  { name: 'expert', summary: "parts of the network's model", load: () => import('./commands/expert.ts') },
  { name: 'keys', summary: 'make, list, import and export keys', load: () => import('./commands/keys.ts') },
  { name: 'config', summary: 'settings and where each comes from', load: () => import('./commands/config.ts') },
  { name: 'logs', summary: 'change how much the daemon logs', load: () => import('./commands/logs.ts') }
]
