// The log of REST requests: a line each; opened, it shows what was asked and answered.
import { clock, t } from './strings.js'
import { el, get } from './tools.js'

const parsed = text => { try { return JSON.parse(text) } catch { return undefined } }
const pretty = value => typeof value === 'string' ? value : JSON.stringify(value, null, 1)
const block = (name, value) => el('div', {}, el('h4', {}, t(name)), el('pre', { tabindex: 0, 'aria-label': t(name) }, pretty(value)))
const decoded = text => { try { return decodeURIComponent(text.replaceAll('+', ' ')) } catch { return text } }

// A batch is shown command by command, each with its own result or error.
function commands (asked, answered) {
  const given = asked?.cmd
  const told = answered?.result
  if (!given || !told?.result) return []
  return Object.entries(given).map(([key, command]) => {
    const error = told.result_error?.[key]
    const [name, query] = [String(command).split('?', 1)[0], String(command).slice(String(command).indexOf('?') + 1)]
    return el('details', { class: 'command' },
      el('summary', {}, el('code', {}, `${key}: ${name}`), error ? el('b', { class: 'bad' }, ` ${error.error}`) : null),
      block('asked', query === command ? '' : decoded(query).split('&').join('\n')), block('answer', error ?? told.result[key] ?? null))
  })
}

async function fill (box, row) {
  let found
  try { found = await get('call', { number: row.number }) } catch (error) { box.replaceChildren(el('p', { class: 'quiet' }, error.message)); return }
  const asked = parsed(found.request)
  const answered = parsed(found.answer)
  const parts = row.method === 'batch' ? commands(asked, answered) : []
  box.replaceChildren(...(parts.length ? parts : [block('asked', asked ?? found.request), block('answer', answered ?? found.answer)]))
}

function line (row) {
  const box = el('div', { class: 'call' })
  const opened = event => { if (event.target.open && !box.hasChildNodes()) fill(box, row) }
  return el('li', { 'data-number': row.number }, el('details', { ontoggle: opened }, el('summary', {},
    el('time', {}, clock(row.time)), el('b', { class: row.status < 400 && !row.error ? '' : 'bad' }, row.status),
    el('code', {}, row.method + (row.names ? ` ×${row.commands}: ${row.names.join(', ')}` : '')),
    el('small', {}, `${Math.round(row.seconds * 1000)} ms ${row.error ?? ''} ${row.absent ? t('absent') : ''} ${row.agent}`)), box))
}

// The newest requests that a filter leaves; an opened one stays open when the list is read anew.
export async function callList (list, filter) {
  const rows = await get('calls', filter)
  const open = new Map([...list.children].filter(node => node.querySelector('details')?.open).map(node => [node.dataset.number, node]))
  list.replaceChildren(...rows.map(row => open.get(String(row.number)) ?? line(row)))
  if (!rows.length) list.append(el('li', { class: 'quiet' }, t('noCalls')))
}

export function callLog () {
  const list = el('ol', { class: 'calls' })
  const form = el('form', { class: 'row', onsubmit: event => event.preventDefault() },
    el('input', { name: 'method', 'aria-label': t('method'), placeholder: t('method') }),
    el('label', { class: 'inline' }, el('input', { type: 'checkbox', name: 'failed', value: '1' }), t('failedOnly')))
  const read = () => callList(list, { limit: 50, ...Object.fromEntries(new FormData(form)) })
  form.addEventListener('input', read)
  let due = null
  const later = () => { // the list follows what comes, and stops when the page shows something else
    if (!list.isConnected) { document.removeEventListener('requests', later); return }
    due ??= setTimeout(() => { due = null; if (list.isConnected) read() }, 500)
  }
  document.addEventListener('requests', later)
  read()
  return el('section', { id: 'calls' }, el('h2', {}, t('calls')), form, list)
}
