// Contacts, tasks, notifications: the newest ones, as tables that fold on a narrow screen.
import { clock, number, t } from './strings.js'
import { act, el, get, openCard } from './tools.js'

function table (names, rows) {
  const head = el('tr', {}, ...names.map(name => el('th', { scope: 'col' }, t(name))))
  const body = rows.map(cells => el('tr', {}, ...cells.map((cell, index) => el('td', { 'data-name': t(names[index]) }, cell))))
  return el('table', {}, el('thead', {}, head), el('tbody', {}, ...body))
}

const link = (text, subject, id) => el('button', { class: 'link', id, onclick: () => openCard(subject) }, text)
const some = (rows, made) => rows.length ? made : el('p', { class: 'quiet' }, t('empty'))

async function newContact () {
  const names = ['Anna', 'Boris', 'Clara', 'Dmitri']
  const name = names[Math.floor(Math.random() * names.length)]
  await act('crm.item.add', { entityTypeId: 3, fields: { name, lastName: 'Newman', fm: [{ typeId: 'EMAIL', valueType: 'WORK', value: `${name.toLowerCase()}@example.com` }] } })
}

export async function showContacts (panel) {
  const given = await get('contacts')
  panel.replaceChildren(
    el('div', { class: 'row bar' }, el('button', { id: 'newContact', onclick: newContact }, t('newContact')), el('span', { class: 'quiet' }, t('total', { n: number(given.total) }))),
    some(given.rows, table(['name', 'phone', 'email', 'responsible'], given.rows.map(row => [link(row.name, `contact/${row.id}`, `contact-${row.id}`), row.phone, row.email, row.person]))))
}

export async function showTasks (panel) {
  const given = await get('tasks')
  const add = () => act('tasks.task.add', { fields: { TITLE: t('newTask'), RESPONSIBLE_ID: 1 } })
  const subjects = { D: 'deal', C: 'contact', CO: 'company', L: 'lead' }
  const about = row => el('span', {}, ...row.crm.map(one => {
    const [kind, id] = one.split('_')
    return subjects[kind] ? link(`${subjects[kind]} ${id}`, `${subjects[kind]}/${id}`) : one
  }))
  panel.replaceChildren(
    el('div', { class: 'row bar' }, el('button', { id: 'newTask', onclick: add }, t('newTask')), el('span', { class: 'quiet' }, t('total', { n: number(given.total) }))),
    some(given.rows, table(['task', 'about', 'responsible'], given.rows.map(row => [(row.status === '5' ? '✓ ' : '') + row.title, about(row), row.person]))))
}

export async function showTalk (panel) {
  const rows = await get('talk')
  panel.replaceChildren(some(rows, table(['to', 'message', 'time'], rows.map(row => [row.to, row.message, clock(row.time)]))))
}
