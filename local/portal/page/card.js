// An item's card: fields, stage, timeline, history. Open while it changes, it follows.
import { products } from './products.js'
import { named, t } from './strings.js'
import { act, el, get, say } from './tools.js'

const dialog = document.getElementById('card')
let subject = null
let edited = false // what somebody has changed and not saved is not taken away

const shown = value => value == null || value === '' ? '—' : typeof value === 'object' ? JSON.stringify(value) : String(value)
const when = text => text.slice(0, 19).replace('T', ' ')

function fields (given) {
  const inputs = Object.entries(given.fields).map(([key, value]) => el('label', {}, el('span', {}, named(key)), el('input', { name: key, value: value ?? '' })))
  const stage = given.stage && el('label', {}, el('span', {}, t('stage')), el('select', { name: 'stageId' },
    ...given.stages.map(one => el('option', { value: one.id, selected: one.id === given.stage }, named(one.id, one.name)))))
  const save = async event => {
    event.preventDefault()
    const changed = Object.fromEntries([...new FormData(event.target)].filter(([key, value]) => String((key === 'stageId' ? given.stage : given.fields[key]) ?? '') !== value))
    edited = false
    await act('crm.item.update', { entityTypeId: given.entityTypeId, id: given.id, fields: changed })
    say(t('saved'))
  }
  const drop = async () => {
    await act('crm.item.delete', { entityTypeId: given.entityTypeId, id: given.id })
    dialog.close()
  }
  return el('form', { class: 'fields', onsubmit: save }, stage, ...inputs,
    el('div', { class: 'row' }, el('button', { class: 'main' }, t('save')), el('button', { type: 'button', class: 'danger', onclick: drop }, t('remove'))))
}

function timeline (given) {
  const write = async event => {
    event.preventDefault()
    const text = event.target.elements.comment.value
    const [kind, id] = given.subject.split('/')
    event.target.reset()
    await act('crm.timeline.comment.add', { fields: { ENTITY_TYPE: kind, ENTITY_ID: id, COMMENT: text } })
    await fill()
  }
  const rows = given.timeline.map(one => el('li', {}, el('p', {}, one.comment), el('small', {}, `${one.author} · ${when(one.time)}`)))
  return el('section', {}, el('h3', {}, t('timeline')),
    el('form', { class: 'row', onsubmit: write }, el('input', { name: 'comment', required: true, 'aria-label': t('write'), placeholder: t('write') }), el('button', {}, t('send'))),
    rows.length ? el('ol', { class: 'timeline' }, ...rows) : el('p', { class: 'quiet' }, t('noTimeline')))
}

function history (given) {
  const rows = given.history.map(one => el('li', {},
    el('code', {}, one.field), ' ', el('del', {}, shown(one.before)), ' → ', el('ins', {}, shown(one.after)),
    el('small', {}, ` ${one.user}, ${t(one.rest ? 'rest' : 'person')}`)))
  return el('section', {}, el('h3', {}, t('history')), rows.length ? el('ol', { class: 'history' }, ...rows) : el('p', { class: 'quiet' }, t('noHistory')))
}

async function fill () {
  let given
  try { given = await get('card', { subject }) } catch { dialog.close(); return }
  if (edited && dialog.dataset.subject === subject) {
    dialog.querySelector('.sides').replaceChildren(timelineKept(given), history(given))
    return
  }
  dialog.dataset.subject = subject
  dialog.replaceChildren(
    el('header', {}, el('h2', { id: 'card-title' }, given.title, ' ', el('small', {}, given.subject)), el('button', { class: 'close', 'aria-label': t('close'), onclick: () => dialog.close() }, '✕')),
    el('p', { class: 'quiet' }, [given.person, ...given.phones, when(given.updated)].join(' · ')),
    el('div', { class: 'card-body' }, el('div', {}, fields(given), products(given, () => { edited = false; return fill() })), el('div', { class: 'sides' }, timeline(given), history(given))))
}

function timelineKept (given) {
  const fresh = timeline(given)
  const old = dialog.querySelector('.sides form.row')
  const focused = old.contains(document.activeElement)
  fresh.querySelector('input').value = old.elements.comment.value
  if (focused) queueMicrotask(() => fresh.querySelector('input').focus())
  return fresh
}

export async function openCard (wanted) {
  subject = wanted
  edited = false
  delete dialog.dataset.subject
  await fill()
  if (!dialog.open) dialog.showModal()
}
export const refreshCard = () => dialog.open && fill()
dialog.addEventListener('input', () => { edited = true })
dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close() })
