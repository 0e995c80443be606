// Runs in the page that is looked at.
/** What is missing or wrong in the structure. */
export function structureFaults() {
  const faults = []
  const all = [...document.querySelectorAll('*')]
  const ids = all.map(node => node.id).filter(id => id !== '')
  for (const id of new Set(ids.filter((id, place) => ids.indexOf(id) !== place))) faults.push(`id ${id} is there twice`)
  for (const node of all)
    for (const name of ['aria-labelledby', 'aria-describedby', 'for'])
      for (const id of (node.getAttribute(name) ?? '').split(/\s+/).filter(part => part !== ''))
        if (document.getElementById(id) === null)
          faults.push(`${name} of <${node.localName}> names ${id}, which is not there`)
  for (const landmark of ['header', 'main', 'footer'])
    if (document.querySelectorAll(landmark).length !== 1) faults.push(`there is not one <${landmark}>`)
  if (document.querySelectorAll('h1').length !== 1) faults.push('there is not one h1')
  if (document.querySelector('[aria-live="polite"]') === null) faults.push('there is no live region')
  if (document.documentElement.lang === '') faults.push('the page has no language')
  let level = 0
  for (const heading of document.querySelectorAll('main h1, main h2, main h3')) {
    const next = Number(heading.localName[1])
    if (next > level + 1) faults.push(`a heading ${next} follows a heading ${level}: ${heading.textContent}`)
    level = next
  }
  for (const table of document.querySelectorAll('table'))
    if (table.caption === null) faults.push('a table has no caption')
  return faults
}

/** The contrast of every text with the first ground below it that is not transparent. */
export function contrastFaults() {
  const channels = colour => (colour.match(/[\d.]+/g) ?? []).map(Number)
  const luminance = colour => {
    const [red, green, blue] = channels(colour).map(value => {
      const share = value / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const groundOf = node => {
    for (let at = node; at !== null; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at)
      if ((channels(backgroundColor)[3] ?? 1) === 1) return backgroundColor
    }
    return 'rgb(255, 255, 255)'
  }
  const faults = new Set()
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const parent = node.parentElement
    const isShown =
      parent.checkVisibility({ visibilityProperty: true }) &&
      parent.closest('.unseen, option, noscript, :disabled') === null
    if (!isShown || node.textContent.trim() === '') continue
    const { color } = getComputedStyle(parent)
    const [bright, dim] = [luminance(color), luminance(groundOf(parent))].sort((a, b) => b - a)
    const ratio = (bright + 0.05) / (dim + 0.05)
    if (ratio < 4.5) faults.add(`"${node.textContent.trim().slice(0, 40)}" has a contrast of ${ratio.toFixed(2)}`)
  }
  return [...faults]
}

/** Whether it can be seen where the focus is: null when it can. */
export function focusFault() {
  const active = document.activeElement
  if (active === document.body) return null
  // The composer shows the focus of its text at its own edge.
  const isSeen = [active, active.closest('.composer') ?? active].some(
    node => getComputedStyle(node).outlineStyle !== 'none'
  )
  const { width, height } = active.getBoundingClientRect()
  return isSeen && width > 0 && height > 0
    ? null
    : `the focus on <${active.localName} class="${active.className}"> is not seen`
}
