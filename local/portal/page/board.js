// Deals by stage. A card is dragged, or moved with Alt and an arrow key.
import { robotsOf } from './robots.js'
import { startCount } from './strip.js'
import { named, number, t } from './strings.js'
import { act, el, get, openCard, post, say } from './tools.js'

let category = 0
let stages = []

const move = async (id, title, stage) => {
  await act('crm.item.update', { entityTypeId: 2, id, fields: { stageId: stage.id } })
  say(t('moved', { title, stage: stage.name }))
}

function onKey (event, deal, index) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
  if (event.key === 'Enter') openCard(`deal/${deal.id}`)
  if (!step || !event.altKey || !stages[index + step]) return
  event.preventDefault()
  focusOn = deal.id
  move(deal.id, deal.title, stages[index + step])
}

let focusOn = null

function card (deal, index) {
  return el('li', {
    class: 'deal', tabindex: 0, draggable: 'true', 'data-id': deal.id,
    'aria-label': `${deal.title}, ${number(deal.opportunity)} ${deal.currency}`,
    onclick: () => openCard(`deal/${deal.id}`),
    onkeydown: event => onKey(event, deal, index),
    ondragstart: event => event.dataTransfer.setData('text/plain', JSON.stringify(deal)),
  },
  el('strong', {}, deal.title),
  el('span', { class: 'money' }, `${number(deal.opportunity)} ${deal.currency}`),
  el('small', {}, [deal.contact, deal.person].filter(Boolean).join(' · ')))
}

function column (stage, index) {
  const list = el('ol', {}, ...stage.items.map(deal => card(deal, index)))
  const node = el('section', { class: 'stage', 'data-stage': stage.id, 'aria-label': stage.name },
    el('h3', { style: `--stage: ${stage.color}` }, stage.name, el('small', {}, ` ${number(stage.count)} · ${number(stage.sum)}`), robotsOf(stage)),
    list,
    stage.count > stage.items.length ? el('p', { class: 'quiet' }, t('more', { n: number(stage.count - stage.items.length) })) : null)
  node.addEventListener('dragover', event => { event.preventDefault(); node.classList.add('over') })
  node.addEventListener('dragleave', () => node.classList.remove('over'))
  node.addEventListener('drop', event => {
    event.preventDefault()
    node.classList.remove('over')
    const deal = JSON.parse(event.dataTransfer.getData('text/plain'))
    move(deal.id, deal.title, stage)
  })
  return node
}

const buttons = () => el('div', { class: 'row' },
  el('button', { id: 'newDeal', onclick: () => act('crm.item.add', { entityTypeId: 2, fields: {} }) }, t('newDeal')),
  el('button', { id: 'edit200', onclick: () => { startCount(); return post('bulk', { amount: 200 }) } }, t('edit200')),
  el('button', { id: 'make200', onclick: () => { startCount(); return post('seed', { deals: 200, events: true }) } }, t('make200')))

export async function showBoard (panel) {
  const given = await get('board', { category })
  stages = given.stages.map(one => ({ ...one, name: named(one.id, one.name) }))
  const scrolled = panel.querySelector('.board')?.scrollLeft ?? 0
  const focused = focusOn ?? document.activeElement?.dataset?.id
  const funnels = el('select', { id: 'funnel', 'aria-label': t('funnel'), onchange: event => { category = Number(event.target.value); showBoard(panel) } },
    ...given.categories.map(one => el('option', { value: one.id, selected: one.id === category }, named(one.name))))
  const board = el('div', { class: 'board' }, ...stages.map(column))
  panel.replaceChildren(el('div', { class: 'row bar' }, given.categories.length > 1 ? funnels : null, buttons()),
    el('p', { class: 'quiet hint' }, t('keys')), board)
  board.scrollLeft = scrolled
  if (focused) board.querySelector(`[data-id="${focused}"]`)?.focus({ preventScroll: !focusOn })
  focusOn = null
}
