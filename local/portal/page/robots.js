// Robots of a stage: the column's head lists them; a dialog adds one.
import { t } from './strings.js'
import { el, get, post, remove } from './tools.js'

const dialog = el('dialog', { id: 'robot', 'aria-labelledby': 'robot-title' })
document.body.append(dialog)

async function open (stage) {
  const given = await get('robots', { stage: stage.id })
  const save = async event => {
    event.preventDefault()
    await post('robots', { stage: stage.id, handler: event.target.elements.handler.value })
    dialog.close()
  }
  dialog.replaceChildren(
    el('header', {}, el('h2', { id: 'robot-title' }, t('robotOn', { stage: stage.name })), el('button', { class: 'close', 'aria-label': t('close'), onclick: () => dialog.close() }, '✕')),
    el('form', { onsubmit: save },
      el('label', {}, el('span', {}, t('robotHandler')), el('textarea', { name: 'handler', rows: 4, required: true, spellcheck: 'false' }, given.address)),
      el('p', { class: 'quiet' }, t('robotHint')),
      el('button', { class: 'main' }, t('create'))))
  dialog.showModal()
}

export function robotsOf (stage) {
  const chips = stage.robots.map(one => el('span', { class: 'robot', 'data-robot': one.id }, one.name,
    el('button', { class: 'link', 'aria-label': `${t('remove')} ${one.name}`, onclick: () => remove('robots', { id: one.id }) }, '✕')))
  return el('div', { class: 'robots' }, ...chips, el('button', { class: 'small', id: `robot-${stage.id}`, 'data-add': 'robot', onclick: () => open(stage) }, t('robotAdd')))
}
