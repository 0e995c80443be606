import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Page } from 'playwright-core'
import { dataFolderPaths, readApiAddress, readApiToken } from '../../src/node/index.ts'
import { accessibilityFaults, tabFaults } from '../dashboard/accessibility.ts'
import { chromiumPath, openPage, startBrowser } from '../dashboard/chromium.ts'
import { type ProcessNetwork, processNetwork } from './network-of-processes.ts'

const views = ['network', 'chains', 'experts', 'learning', 'chat'] as const
const skip = chromiumPath === undefined ? 'there is no Chromium on this machine' : false

async function addressOf(network: ProcessNetwork): Promise<{ url: string; token: string }> {
  const paths = dataFolderPaths(network.folders[0]!.path)
  return { url: (await readApiAddress(paths))!.url, token: (await readApiToken(paths, 'operate'))! }
}

/** Waits until the view is there and says something that only the node knows. */
async function openView(page: Page, url: string, view: (typeof views)[number]): Promise<void> {
  await page.goto(`${url}/#/${view}`)
  const sign = {
    network: '.tile dd:text-matches("^[1-9]")',
    chains: 'button.block[aria-current]',
    experts: '.cell[data-row="1"]',
    learning: 'dl dd:text("none was opened yet")',
    chat: '#chat-model option'
  }[view]
  await page.waitForSelector(sign, { state: 'attached' })
  await page.waitForSelector('#state:text("ready")')
}

test('the dashboard in a real browser, over a real node', { skip, timeout: 120_000 }, async (t: TestContext) => {
  const network = await processNetwork(t, 1)
  const [browser] = await Promise.all([startBrowser(t), network.start(0)])
  const { url, token } = await addressOf(network)

  await t.test('who has no token is asked for one, and a wrong one is refused', async () => {
    const { page, complaints } = await openPage(browser, url)
    await page.goto(url)
    assert.equal(await page.evaluate('document.activeElement.id'), 'token')
    assert.deepEqual(await accessibilityFaults(page), [])
    await page.keyboard.type('not-a-token-of-this-node')
    await page.keyboard.press('Enter')
    await page.waitForSelector('text=does not know that token')
    await page.fill('#token', token)
    await page.keyboard.press('Enter')
    await page.waitForSelector('#state:text("ready")')
    assert.deepEqual(complaints, [])
    await page.close()
  })

  await t.test('the token leaves the address, and what happens is shown as it happens', async () => {
    const { page, complaints, foreign } = await openPage(browser, url)
    await page.goto(`${url}/#token=${token}`)
    await page.waitForSelector('text=Events become final')
    assert.doesNotMatch(page.url(), /token/)
    const { eventId } = await network.note(0, '<img src=x onerror=alert(1)>')
    const row = page.locator('.row-button', { hasText: 'note' }).first()
    await row.waitFor()
    await row.click()
    await page.waitForSelector(`dialog [title="${eventId}"]`)
    assert.match((await page.textContent('dialog .content'))!, /^<img src=x/)
    await page.keyboard.press('Escape')
    await page.waitForSelector('dialog', { state: 'detached' })
    await page.waitForSelector('.chart canvas')
    assert.deepEqual([complaints, foreign], [[], []])
    await page.close()
  })

  await t.test('the chains are walked with the keyboard, and links lead from block to block', async () => {
    const { page, complaints } = await openPage(browser, url)
    await page.goto(`${url}/#token=${token}`)
    await openView(page, url, 'chains')
    const current = (): Promise<string | null> => page.getAttribute('button.block[aria-current]', 'aria-label')
    const press = async (key: string): Promise<void> => page.keyboard.press(key)
    assert.match((await current())!, /^Chain B, block 40/)
    await page.focus('button.block[aria-current]')
    await press('ArrowLeft')
    assert.match((await current())!, /^Chain B, block 39/)
    await press('Home')
    assert.match((await current())!, /^Chain B, block 25/)
    await press('ArrowLeft')
    await page.waitForSelector('button.block[aria-current][aria-label^="Chain B, block 24"]')
    await press('Enter')
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'A 0 · meta')
    await press('Enter')
    await page.waitForSelector('#block-title:text("Block 0 of chain A")')
    assert.match((await current())!, /^Chain A, block 0, meta/)
    assert.ok((await page.locator('.link.needed-by').count()) > 0)
    await press('ArrowDown')
    assert.match((await current())!, /^Chain B/)
    assert.deepEqual(complaints, [])
    await page.close()
  })

  await t.test('the parts of the model are walked too', async () => {
    const { page, complaints } = await openPage(browser, url)
    await page.goto(`${url}/#token=${token}`)
    await openView(page, url, 'experts')
    await page.focus('.cell[tabindex="0"]')
    for (const key of ['ArrowDown', 'End']) await page.keyboard.press(key)
    await page.waitForSelector('.part-card dd:text("layer0.expert7")')
    await page.locator('.part-card .link-button').click()
    await page.waitForSelector('#block-title:text("of chain B")')
    assert.deepEqual(complaints, [])
    await page.close()
  })

  await t.test('a question is answered as it is made, with what it took', async () => {
    const { page, complaints } = await openPage(browser, url)
    await page.goto(`${url}/#token=${token}`)
    await openView(page, url, 'chat')
    await page.locator('.settings summary').click()
    await page.fill('#tokens-max', '24')
    await page.fill('#prompt', 'Hello')
    await page.keyboard.press('Enter')
    await page.waitForSelector('.turn.model .turn-facts:text("24 tokens")')
    assert.match((await page.textContent('.turn.model .turn-facts'))!, /tokens\/s .* computed on this machine/)
    assert.ok((await page.textContent('.turn.model .turn-text'))!.length > 0)
    assert.equal(await page.textContent('#announcements'), 'The answer is complete')
    assert.deepEqual(await accessibilityFaults(page), [])
    await page.fill('#tokens-max', '4096')
    await page.fill('#prompt', 'Go on')
    await page.keyboard.press('Enter')
    await page.locator('button:text("Stop")').click()
    await page.waitForSelector('.turn.model:last-child .turn-facts:text("stopped")')
    assert.deepEqual(complaints, [])
    await page.close()
  })

  for (const theme of ['light', 'dark'] as const)
    await t.test(`every view can be read, heard and reached with the keyboard (${theme})`, async () => {
      const { page, complaints } = await openPage(browser, url, { theme })
      await page.goto(`${url}/#token=${token}`)
      for (const view of views) {
        await openView(page, url, view)
        assert.deepEqual(await accessibilityFaults(page), [], view)
        assert.deepEqual(await tabFaults(page, 12), [], view)
      }
      assert.deepEqual(complaints, [])
      await page.close()
    })

  await t.test('nothing is wider than a small screen', async () => {
    const { page } = await openPage(browser, url, { width: 360 })
    await page.goto(`${url}/#token=${token}`)
    for (const view of views) {
      await openView(page, url, view)
      assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 360, view)
    }
    await page.close()
  })

  await t.test('the colours are chosen and stay chosen', async () => {
    const { page } = await openPage(browser, url, { theme: 'light' })
    await page.goto(`${url}/#token=${token}`)
    const ground = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const light = await ground()
    await page.selectOption('#theme', 'dark')
    const dark = await ground()
    assert.notEqual(light, dark)
    await page.reload()
    assert.equal(await ground(), dark)
    await page.close()
  })

  await t.test('when the node is gone the page says so, and goes on when it is back', async () => {
    const { page } = await openPage(browser, url)
    await page.goto(`${url}/#token=${token}`)
    await page.waitForSelector('#state:text("ready")')
    await network.stop(0)
    await page.waitForSelector('#state:text("not connected")')
    await page.waitForSelector('[role="alert"]:text("does not answer")')
    await network.start(0)
    await page.waitForSelector('#state:text("ready")', { timeout: 40_000 })
    await page.close()
  })
})
