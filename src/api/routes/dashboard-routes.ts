import { z } from 'zod'
import { BlyanError } from '../../errors/index.ts'
import { dashboardFile, dashboardHeaders } from '../dashboard/dashboard-files.ts'
import { type Reply, type Route, route } from '../route.ts'

/** The page for people. It is the same for everybody and says nothing of this node: what it shows it asks with a token. */
export const dashboardRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/',
    scope: 'none',
    summary: 'The dashboard',
    answer: 'text/html',
    answerDescription: 'a page that asks for a token, or takes it from `#token=` of its address',
    handle: async () => fileReply('index.html', '/')
  }),
  route({
    method: 'GET',
    path: '/dashboard/:file',
    scope: 'none',
    summary: 'Scripts, styles and pictures of the dashboard',
    params: z.strictObject({
      file: z
        .string()
        .max(64)
        .regex(/^[\w-]+(\.[\w-]+)+$/, 'the name of a file')
    }),
    answer: 'text/javascript',
    answerDescription: 'the file, by its own type',
    handle: async ({ params }) => fileReply(params.file, `/dashboard/${params.file}`)
  })
]

function fileReply(name: string, path: string): Reply {
  const file = dashboardFile(name)
  if (file === undefined) throw new BlyanError('ROUTE_UNKNOWN', { method: 'GET', path })
  return { kind: 'page', ...file, headers: dashboardHeaders }
}
