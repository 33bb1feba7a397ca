// Developer resources, as in Bitrix24: webhooks, robots, a request builder, the log of requests.
import { callLog } from './calls.js'
import { t } from './strings.js'
import { el, get, patch, post, remove, say } from './tools.js'

const EVENTS = ['ADD', 'UPDATE', 'DELETE'].flatMap(action => ['ONCRMDEAL', 'ONCRMLEAD', 'ONCRMCONTACT', 'ONCRMCOMPANY', 'ONCRMQUOTE', 'ONCRMDYNAMICITEM', 'ONTASK', 'ONCRMTIMELINECOMMENT'].map(name => name + action))
const SAMPLES = {
  'crm.item.list': { entityTypeId: 2, select: ['id', 'title', 'stageId'], order: { id: 'DESC' }, start: -1 },
  'crm.item.get': { entityTypeId: 2, id: 1 }, 'crm.item.update': { entityTypeId: 2, id: 1, fields: { title: 'Changed over REST' } },
  'crm.timeline.comment.add': { fields: { ENTITY_TYPE: 'deal', ENTITY_ID: 1, COMMENT: 'Hello' } },
  'tasks.task.add': { fields: { TITLE: 'Call back', RESPONSIBLE_ID: 1 } },
  batch: { halt: 0, cmd: { newest: 'crm.item.list?entityTypeId=2&order[id]=DESC&start=-1', first: 'crm.item.get?entityTypeId=2&id=$result[newest][items][0][id]' } },
}
let chosen = 'crm.item.list'

const copy = text => el('button', { class: 'small', onclick: async () => { await navigator.clipboard.writeText(text); say(t('copied')) } }, t('copy'))
const again = panel => () => showDeveloper(panel)
const ticks = (name, values) => el('fieldset', { class: 'ticks' }, el('legend', {}, t(name)),
  ...values.map(value => el('label', {}, el('input', { type: 'checkbox', name, value }), value)))

function incoming (state, panel) {
  const rows = state.incoming.map(hook => {
    const url = location.origin + hook.path
    const over = hook.expires && hook.expires * 1000 < Date.now()
    return el('li', {}, el('div', {}, el('strong', {}, hook.title || `#${hook.id}`), ' ', over ? el('mark', {}, t('expired')) : null),
      el('code', { class: 'secret' }, url), el('small', {}, `${t('owner')}: ${state.users.find(one => one.id === hook.user)?.name ?? hook.user} · ${hook.scopes.join(', ')}`),
      el('div', { class: 'row' }, copy(url),
        el('button', { class: 'small', onclick: () => post('incoming/reissue', { id: hook.id }).then(again(panel)) }, t('reissue')),
        el('button', { class: 'small danger', onclick: () => remove('incoming', { id: hook.id }).then(again(panel)) }, t('remove'))))
  })
  const make = event => {
    event.preventDefault()
    const form = new FormData(event.target)
    post('incoming', { title: form.get('name'), scopes: form.getAll('scopes'), user: Number(form.get('user')) }).then(again(panel))
  }
  return el('section', { id: 'incoming' }, el('h2', {}, t('incoming')), el('ul', { class: 'hooks' }, ...rows),
    el('details', {}, el('summary', {}, t('create')), el('form', { onsubmit: make },
      el('label', {}, el('span', {}, t('name')), el('input', { name: 'name', required: true })),
      el('label', {}, el('span', {}, t('owner')), el('select', { name: 'user' }, ...state.users.map(one => el('option', { value: one.id }, one.name)))),
      ticks('scopes', state.scopes), el('button', { class: 'main' }, t('create')))))
}

function builder (state) {
  const out = el('pre', { tabindex: 0, 'aria-label': t('answer') })
  const params = el('textarea', { name: 'params', rows: 6, spellcheck: 'false', 'aria-label': t('params') })
  const fill = name => { chosen = name; params.value = JSON.stringify(SAMPLES[name] ?? {}, null, 1) }
  const method = el('input', { name: 'method', list: 'methods', value: chosen, onchange: event => { if (SAMPLES[event.target.value]) fill(event.target.value) } })
  const hook = el('select', { name: 'hook' }, ...state.incoming.map(one => el('option', { value: one.path }, `${one.title || '#' + one.id} ${one.path.replace(/\w{4,}\/$/, '…/')}`)))
  const run = async event => {
    event.preventDefault()
    let body
    try { body = JSON.parse(params.value || '{}') } catch { out.textContent = t('badJson'); return }
    const begun = performance.now()
    try {
      const answer = await fetch(hook.value + method.value, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
      const text = await answer.text()
      let shown = text
      try { shown = JSON.stringify(JSON.parse(text), null, 1) } catch { /* a page instead of JSON is shown as it came */ }
      out.textContent = `HTTP ${answer.status} · ${Math.round(performance.now() - begun)} ms\n${shown.slice(0, 20000)}`
    } catch (error) { out.textContent = String(error) }
  }
  fill(chosen)
  return el('section', { id: 'builder' }, el('h2', {}, t('builder')), el('form', { onsubmit: run },
    el('label', {}, el('span', {}, t('address')), hook), el('label', {}, el('span', {}, t('method')), method),
    el('datalist', { id: 'methods' }, ...[...state.methods, 'batch'].map(name => el('option', { value: name }))),
    el('label', {}, el('span', {}, t('params')), params), el('button', { class: 'main' }, t('run')), out))
}

function outgoing (state, panel) {
  const rows = state.outgoing.map(hook => el('li', {},
    el('div', {}, el('strong', {}, hook.title || `#${hook.id}`), ' ', el('mark', { class: hook.active ? 'good' : '' }, t(hook.active ? 'active' : 'off'))),
    el('code', {}, hook.url), el('small', {}, `${t('token')}: `, el('code', { class: 'secret' }, hook.token)),
    el('small', {}, hook.events.join(', ') || t('allEvents')),
    el('div', { class: 'row' }, copy(hook.token),
      el('button', { class: 'small', onclick: () => patch('outgoing', { id: hook.id, active: !hook.active }).then(again(panel)) }, t(hook.active ? 'off' : 'on')),
      el('button', { class: 'small danger', onclick: () => remove('outgoing', { id: hook.id }).then(again(panel)) }, t('remove')))))
  const make = event => {
    event.preventDefault()
    const form = new FormData(event.target)
    post('outgoing', { title: form.get('name'), url: form.get('url'), events: form.getAll('which') }).then(again(panel))
  }
  return el('section', { id: 'outgoing' }, el('h2', {}, t('outgoing')), el('ul', { class: 'hooks' }, ...rows),
    el('details', {}, el('summary', {}, t('create')), el('form', { onsubmit: make },
      el('label', {}, el('span', {}, t('name')), el('input', { name: 'name', required: true })),
      el('label', {}, el('span', {}, t('handler')), el('input', { name: 'url', type: 'url', required: true, placeholder: 'http://127.0.0.1:4566/…/bitrix24' })),
      ticks('which', EVENTS), el('button', { class: 'main' }, t('create')))))
}

function robots (given, panel) {
  const rows = given.robots.map(one => el('li', { 'data-robot': one.id }, el('div', {}, el('strong', {}, one.name), ' ', el('small', {}, one.where)),
    el('div', { class: 'row' }, el('button', { class: 'small danger', onclick: () => remove('robots', { id: one.id }).then(again(panel)) }, t('remove')))))
  const make = event => {
    event.preventDefault()
    const form = new FormData(event.target)
    const stage = given.stages[form.get('stage')]
    post('robots', { entityTypeId: stage.entityTypeId, stage: stage.id, handler: form.get('handler') }).then(again(panel))
  }
  return el('section', { id: 'robots' }, el('h2', {}, t('robots')), el('ul', { class: 'hooks' }, ...rows),
    el('details', {}, el('summary', {}, t('create')), el('form', { onsubmit: make },
      el('label', {}, el('span', {}, t('stage')), el('select', { name: 'stage' }, ...given.stages.map((one, index) => el('option', { value: index }, one.where)))),
      el('label', {}, el('span', {}, t('robotHandler')), el('textarea', { name: 'handler', rows: 3, required: true, spellcheck: 'false' }, given.address)),
      el('p', { class: 'quiet' }, t('robotHint')), el('button', { class: 'main' }, t('create')))))
}

export async function showDeveloper (panel) {
  const [state, found] = await Promise.all([get('state'), get('robots')])
  panel.replaceChildren(el('div', { class: 'developer' }, incoming(state, panel), outgoing(state, panel), robots(found, panel), builder(state), callLog()))
}
