/**
 * Makes an element. Attributes that are functions become listeners (`onclick`), null and false leave an attribute out.
 * Children are elements or text: text stays text, whatever a peer wrote.
 */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children)
}

export function drawing(name, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children)
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value)
    else if (value !== null && value !== false && value !== undefined)
      made.setAttribute(name, value === true ? '' : String(value))
  }
  made.append(...children.flat().filter(child => child !== null && child !== undefined))
  return made
}

/** Writes only what has changed: a screen reader and a selection stay where they are. */
export function setText(node, text) {
  const wanted = String(text)
  if (node.textContent !== wanted) node.textContent = wanted
}

export function setAttribute(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name)
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, String(value))
}

/**
 * Keeps the children of a container in step with a list. Those that stay keep their element, and with it the focus.
 * `update` is called with the element and the item, for new ones too.
 * @template Item
 * @param {Element} container
 * @param {readonly Item[]} items
 * @param {{ keyOf(item: Item): unknown, create(item: Item): HTMLElement, update?(child: HTMLElement, item: Item): void }} how
 */
export function keepList(container, items, { keyOf, create, update }) {
  const children = /** @type {HTMLElement[]} */ ([...container.children])
  const known = new Map(children.map(child => [child.dataset.key, child]))
  let place = container.firstElementChild
  for (const item of items) {
    const key = String(keyOf(item))
    let child = known.get(key)
    if (child === undefined) {
      child = create(item)
      child.dataset.key = key
    } else known.delete(key)
    update?.(child, item)
    if (child === place) place = place.nextElementSibling
    else container.insertBefore(child, place)
  }
  for (const child of known.values()) child.remove()
}

/** Names and values below each other; those that are null are left out. */
export function descriptions(rows) {
  const list = element('dl', { class: 'facts' })
  for (const [name, value] of rows)
    if (value !== null && value !== undefined) list.append(element('dt', {}, name), element('dd', {}, value))
  return list
}

/** An identifier: short to read, whole to copy. */
export function identifier(text, shown) {
  return element('span', { class: 'identifier', title: text }, shown)
}

export function copyButton(text, what) {
  const button = element('button', { type: 'button', class: 'quiet small', 'aria-label': `Copy ${what}` }, 'Copy')
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text)
      setText(button, 'Copied')
    } catch {
      setText(button, 'Not allowed')
    }
    setTimeout(() => setText(button, 'Copy'), 1500)
  })
  return button
}

export function card(title, attributes, ...children) {
  const id = `card-${title.toLowerCase().replace(/\W+/g, '-')}`
  return element(
    'section',
    { class: 'card', 'aria-labelledby': id, ...attributes },
    element('h2', { id }, title),
    ...children
  )
}

/** For people who do not see that something has changed. */
export function announce(text) {
  setText(document.getElementById('announcements'), text)
}
