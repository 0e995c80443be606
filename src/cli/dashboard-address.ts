/**
 * Where a browser finds the dashboard. On a terminal with the token that may operate the node, not with the one that
 * signs, behind `#`: a browser sends that part to nobody. Output that may be kept somewhere gets the bare address.
 */
export function dashboardAddress(apiUrl: string, operateToken: string | null): string {
  const isTerminal = process.stdout.isTTY === true
  return isTerminal && operateToken !== null ? `${apiUrl}/#token=${operateToken}` : `${apiUrl}/`
}
