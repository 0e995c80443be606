import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'

/** The browser gets them as text: the page's own rules forbid it scripts that are not its own. */
const checks = readFileSync(new URL('./page-checks.js', import.meta.url), 'utf8').replaceAll(
  'export function',
  'function'
)

const controlRoles = new Set([
  'button',
  'link',
  'textbox',
  'combobox',
  'gridcell',
  'spinbutton',
  'checkbox',
  'slider',
  'image',
  'dialog',
  'navigation',
  'log',
  'grid',
  'table'
])

/** What is wrong with a page for those who do not see it, do not use a mouse, or see little. Empty when all is well. */
export async function accessibilityFaults(page: Page): Promise<string[]> {
  const seen = await inPage<string[]>(page, '[...structureFaults(), ...contrastFaults()]')
  return [...(await namelessControls(page)), ...seen]
}

/** By the tree that the browser hands to screen readers. */
async function namelessControls(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page)
  const { nodes } = await session.send('Accessibility.getFullAXTree')
  await session.detach()
  return nodes
    .filter(node => !node.ignored && controlRoles.has(String(node.role?.value)))
    .filter(node => String(node.name?.value ?? '').trim() === '')
    .map(node => `a ${node.role!.value} has no name (node ${node.backendDOMNodeId})`)
}

/** Goes through the page with the Tab key. A stop whose focus cannot be seen is a fault. */
export async function tabFaults(page: Page, stops: number): Promise<string[]> {
  const faults: string[] = []
  for (let stop = 0; stop < stops; stop++) {
    await page.keyboard.press('Tab')
    const fault = await inPage<string | null>(page, 'focusFault()')
    if (fault !== null) faults.push(fault)
  }
  return faults
}

async function inPage<Result>(page: Page, expression: string): Promise<Result> {
  return (await page.evaluate(`(() => { ${checks}; return ${expression} })()`)) as Result
}
