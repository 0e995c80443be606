import { type Route, route } from '../route.ts'

/** Snapshots of the state, for restoring this node and for others that join. */
export const snapshotRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/snapshots',
    scope: 'read',
    summary: 'Snapshots that are on this machine, oldest first',
    answer: 'application/json',
    answerDescription: '`snapshots`, one entry each',
    handle: async (_input, { node }) => ({ kind: 'json', body: { snapshots: await node.listSnapshots() } })
  }),
  route({
    method: 'POST',
    path: '/v0/snapshots',
    scope: 'operate',
    summary: 'Make a snapshot of the newest certified checkpoint, unless there is one',
    answer: 'application/json',
    answerDescription: 'the snapshot: `sequence`, `commit`, `id`, `folder`, ...',
    handle: async (_input, { node }) => ({ kind: 'json', body: await node.createSnapshot() })
  })
]
