// The product rows on a card: edit them, see the total, save them all at once as the portal does.
import { t } from './strings.js'
import { act, el, say } from './tools.js'

const KEYS = ['productName', 'price', 'quantity']
const amount = value => Number(String(value).replace(',', '.')) || 0

// `given` is the card; null where its kind has no product rows.
export function products (given, refresh) {
  if (!given.products) return null
  const { ownerType, rows } = given.products
  const body = el('tbody')
  const total = el('output', { class: 'money' })
  const values = () => [...body.rows].map(row => Object.fromEntries([...row.querySelectorAll('input')].map(input => [input.name, input.value])))
  const count = () => {
    body.dispatchEvent(new Event('input', { bubbles: true })) // a row that comes or goes is an edit
    total.textContent = values().reduce((sum, row) => sum + amount(row.price) * amount(row.quantity), 0).toFixed(2)
  }
  const add = row => {
    const line = el('tr', {}, ...KEYS.map(key => el('td', { 'data-name': t(key) }, el('input', { name: key, value: row[key] ?? '', 'aria-label': t(key), required: key === 'productName', oninput: count }))),
      el('td', {}, el('button', { type: 'button', class: 'small danger', 'aria-label': t('remove'), onclick: () => { line.remove(); count() } }, '✕')))
    line.kept = row // what the card does not show
    body.append(line)
    count()
  }
  rows.forEach(add)
  count()
  const save = async event => {
    event.preventDefault()
    const productRows = [...body.rows].map((line, at) => ({ ...line.kept, productName: values()[at].productName, price: amount(values()[at].price), quantity: amount(values()[at].quantity) }))
    await act('crm.item.productrow.set', { ownerType, ownerId: given.id, productRows })
    say(t('saved'))
    await refresh()
  }
  return el('section', { class: 'products' }, el('h3', {}, t('products')), el('form', { onsubmit: save },
    el('table', {}, el('thead', {}, el('tr', {}, ...KEYS.map(key => el('th', {}, t(key))), el('th'))), body),
    el('p', { class: 'row' }, t('sum'), total, el('button', { type: 'button', class: 'small', onclick: () => add({ price: 0, quantity: 1 }) }, t('addRow')), el('button', { class: 'main small' }, t('saveRows')))))
}
