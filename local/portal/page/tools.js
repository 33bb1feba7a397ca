// Small tools: elements without templates, requests to the admin API, a spoken line.
import { t } from './strings.js'

const query = new URLSearchParams(location.search)
export const portalName = query.get('portal') ?? ''

// el('button', { class: 'x', onclick: f }, 'text', child): text is never read as markup.
export function el (name, attributes = {}, ...children) {
  const node = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value)
    else if (typeof value === 'boolean') node.toggleAttribute(key, value)
    else if (value != null) node.setAttribute(key, value)
  }
  node.append(...children.filter(child => child != null))
  return node
}

async function request (verb, path, body, values = {}) {
  const search = new URLSearchParams(portalName ? { portal: portalName, ...values } : values)
  const answer = await fetch(`admin/${path}?${search}`, {
    method: verb,
    headers: body ? { 'Content-Type': 'application/json' } : {},
    body: body ? JSON.stringify(body) : undefined,
  })
  const given = await answer.json()
  if (!answer.ok) {
    const why = given.error_description || given.error || answer.status
    say(t('failed', { why }))
    throw new Error(why)
  }
  return given
}

export const get = (path, values) => request('GET', path, undefined, values)
export const post = (path, body = {}) => request('POST', path, body)
export const patch = (path, body) => request('PATCH', path, body)
export const remove = (path, values) => request('DELETE', path, undefined, values)
// What a person in the portal does: no webhook, no limits.
export const act = (method, params) => post('call', { method, params })

// The card's scripts are loaded with the first card.
export const openCard = async subject => (await import('./card.js')).openCard(subject)

let silence
export function say (text) {
  const node = document.getElementById('said')
  node.textContent = text
  clearTimeout(silence)
  silence = setTimeout(() => { node.textContent = '' }, 5000)
}
