const storageKey = 'blyan.theme'
const themes = ['system', 'light', 'dark']

/** Follows the system until somebody chooses; the choice stays in this browser. `onChange` also hears the system change. */
export function startTheme(select, onChange) {
  const stored = localStorage.getItem(storageKey)
  select.value = themes.includes(stored) ? stored : 'system'
  const apply = () => {
    document.documentElement.dataset.theme = select.value
    onChange()
  }
  select.addEventListener('change', () => {
    localStorage.setItem(storageKey, select.value)
    apply()
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', onChange)
  apply()
}

/** The colour a name of the style sheet has now. */
export function colourOf(name) {
  const probe = document.createElement('span')
  probe.style.color = `var(--${name})`
  document.body.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
