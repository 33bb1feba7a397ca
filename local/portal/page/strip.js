// The strip: a row for each event, a chip for each step. News is drawn at most once a frame.
import { clock, number, t } from './strings.js'
import { el, openCard, portalName } from './tools.js'

const STEPS = ['sent', 'verified', 'published', 'read', 'changed', 'reacted', 'written']
const SHOWN = 40
const list = document.getElementById('rows')
const box = document.getElementById('counters')
const rows = new Map()
const nodes = new Map()
let counters = {}
let base = {}
let hooks = true
let drawing = false

const short = value => { const text = value == null || value === '' ? '—' : typeof value === 'object' ? JSON.stringify(value) : String(value); return text.length > 28 ? text.slice(0, 27) + '…' : text }

// What a step says beside its time: the handler's answer, what changed, what was written.
function saying (name, step) {
  if (name === 'sent') return step.outcome
  if (name === 'changed' && step.field) return `${step.field}: ${short(step.before)} → ${short(step.after)}`
  if (name === 'changed' && Array.isArray(step.changed)) return step.changed.slice(0, 2).map(key => `${key}: ${short(step.before?.[key])} → ${short(step.after?.[key])}`).join(', ') + (step.changed.length ? '' : step.action ?? '') + (step.changed.length > 2 ? ' …' : '') + (step.reading ? ` (${step.reading})` : '')
  if (name === 'reacted') return [short(step.reaction ?? step.by ?? '').replace('—', ''), step.error, step.at].filter(Boolean).join(' · ')
  return short(step.comment ?? step.fields?.join?.(', ') ?? (step.task && `task/${step.task}`) ?? step.method ?? '').replace('—', '')
}
const spent = seconds => seconds < 0 ? '' : seconds < 1 ? `${Math.round(seconds * 1000)} ms` : seconds < 100 ? `${seconds.toFixed(1)} s` : ''

function chips (row) {
  return STEPS.map(name => {
    const step = row.steps[name]
    const bad = step && (step.error || (name === 'sent' && !/^2/.test(step.outcome)))
    return el('li', { class: `step ${step ? (bad ? 'bad' : 'done') : ''}`, 'data-step': name },
      el('b', {}, t(name)), step && saying(name, step) ? el('span', {}, saying(name, step)) : null, step ? el('small', {}, spent(step.time - row.time)) : null)
  })
}

// Tasks, activities and the like have no card of their own here.
const subject = name => /^(lead|deal|contact|company|quote|invoice|dynamic_\d+|timeline_comment)\//.test(name)
  ? el('button', { class: 'link', onclick: () => openCard(name) }, name)
  : el('span', {}, name)

// What read or wrote the item since the event, with what was asked and answered.
function requestsOf (row) {
  const list = el('ol', { class: 'calls' })
  const opened = async event => {
    if (!event.target.open || event.target !== list.parentNode) return
    const { callList } = await import('./calls.js')
    await callList(list, { subject: row.subject, since: row.time, limit: 30 })
  }
  return el('details', { class: 'requests', ontoggle: opened }, el('summary', {}, t('itsRequests')), list)
}

function draw () {
  drawing = false
  const newest = [...rows.values()].sort((a, b) => b.time - a.time || b.number - a.number).slice(0, SHOWN)
  const keep = new Set(newest.map(row => row.number))
  for (const key of rows.keys()) if (!keep.has(key)) rows.delete(key)
  for (const [key, node] of nodes) if (!keep.has(key)) { node.remove(); nodes.delete(key) }
  newest.forEach((row, index) => {
    let node = nodes.get(row.number)
    if (!node) {
      node = el('li', { class: 'event', 'data-subject': row.subject },
        el('div', { class: 'what' }, el('strong', {}, row.event || t('foundBySweep')), subject(row.subject), el('time', {}, clock(row.time))), el('ol', { class: 'steps' }), requestsOf(row))
      nodes.set(row.number, node)
    }
    if (node.row !== row) { node.row = row; node.children[1].replaceChildren(...chips(row)) }
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null)
  })
  list.querySelector('.none')?.remove()
  if (!newest.length) list.append(el('li', { class: 'none quiet' }, t(hooks ? 'noRows' : 'noHook')))
  const shown = ['events', 'requests', 'commands', 'refused', 'waiting']
  box.replaceChildren(...shown.map(name => el('div', { 'data-counter': name }, el('dd', {}, number(Math.max(0, (counters[name] ?? 0) - (name === 'waiting' ? 0 : base[name] ?? 0)))), el('dt', {}, t(name)))))
}
export function drawSoon () { if (!drawing) { drawing = true; requestAnimationFrame(draw) } }
export function redraw () { for (const row of rows.values()) { const node = nodes.get(row.number); if (node) node.row = null } drawSoon() }
export function startCount () { base = { ...counters }; drawSoon() }
export function knowHooks (some) { hooks = some; drawSoon() }

// What became of code that was saved: it runs, or it can't, and where it is wrong.
function showNotice ({ text, lines, bad, time }) {
  const box = document.getElementById('notice')
  if (!text || box.dataset.time === String(time)) return
  box.dataset.time = time
  box.hidden = false
  box.className = bad ? 'bad' : ''
  box.replaceChildren(el('p', {}, `${clock(time)} ${text}`), ...(lines.length ? [el('pre', {}, lines.join('\n'))] : []))
}

export function follow (onItems, onLost) {
  const source = new EventSource(`admin/follow${portalName ? `?portal=${encodeURIComponent(portalName)}` : ''}`)
  source.onmessage = event => {
    const news = JSON.parse(event.data)
    if (news.counters.requests !== counters.requests) document.dispatchEvent(new Event('requests'))
    counters = news.counters
    showNotice(news.notice)
    for (const row of news.rows.slice(-SHOWN)) rows.set(row.number, row)
    drawSoon()
  }
  source.addEventListener('items', onItems)
  source.onerror = onLost
  addEventListener('pagehide', () => source.close())
}
