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
  { name: 'chain', summary: 'read blocks, check what is on disk', load: () => import('./commands/chain.ts') },
  { name: 'checkpoint', summary: 'what validators signed', load: () => import('./commands/checkpoint.ts') },
  {
    name: 'validator',
    summary: 'who the validators are; join, approve, leave, change keys',
    load: () => import('./commands/validator.ts')
  },
  {
    name: 'evidence',
    summary: 'validators that were proven to have signed twice',
    load: () => import('./commands/evidence.ts')
  },
  { name: 'snapshot', summary: 'make, check and restore snapshots', load: () => import('./commands/snapshot.ts') },
  { name: 'tensor', summary: 'store, fetch, show and check tensors', load: () => import('./commands/tensor.ts') },
  { name: 'expert', summary: "parts of the network's model", load: () => import('./commands/expert.ts') },
  { name: 'keys', summary: 'make, list, import and export keys', load: () => import('./commands/keys.ts') },
  { name: 'config', summary: 'settings and where each comes from', load: () => import('./commands/config.ts') },
  { name: 'logs', summary: 'change how much the daemon logs', load: () => import('./commands/logs.ts') }
]
