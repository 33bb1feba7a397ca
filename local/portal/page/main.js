// Tabs, language, theme; and what is shown follows what the portal says is new.
import { showBoard } from './board.js'
import { showFaults } from './faults.js'
import { follow, knowHooks, redraw, startCount } from './strip.js'
import { switchLanguage, t, translate } from './strings.js'
import { get, portalName, say } from './tools.js'

const later = (file, name) => async panel => (await import(`./${file}.js`))[name](panel)
const VIEWS = {
  deals: showBoard, contacts: later('lists', 'showContacts'), tasks: later('lists', 'showTasks'),
  talk: later('lists', 'showTalk'), developer: later('developer', 'showDeveloper'),
}
const REFRESH_MS = 400 // a burst redraws the items a few times, not hundreds
const panel = document.getElementById('panel')
const tabs = [...document.querySelectorAll('[role=tab]')]
const current = () => VIEWS[location.hash.slice(1)] ? location.hash.slice(1) : 'deals'

async function show () {
  const name = current()
  const focused = document.activeElement.id // what has an id keeps the focus when it is drawn anew
  for (const tab of tabs) {
    const chosen = tab.id === `tab-${name}`
    tab.setAttribute('aria-selected', chosen)
    tab.tabIndex = chosen ? 0 : -1
  }
  panel.setAttribute('aria-labelledby', `tab-${name}`)
  panel.dataset.view = name
  await VIEWS[name](panel)
  if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus({ preventScroll: true })
}

tabs.forEach((tab, index) => {
  tab.addEventListener('click', () => { location.hash = tab.id.slice(4) })
  tab.addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!step) return
    const next = tabs[(index + step + tabs.length) % tabs.length]
    next.focus()
    next.click()
  })
})
addEventListener('hashchange', show)

let due = null
function itemsChanged () {
  due ??= setTimeout(async () => {
    due = null
    if (document.getElementById('card').open) import('./card.js').then(card => card.refreshCard())
    if (current() !== 'developer') await show() // forms there are not to be taken from under a hand
  }, REFRESH_MS)
}

const themes = matchMedia('(prefers-color-scheme: dark)')
function paint () {
  const chosen = localStorage.getItem('theme') ?? (themes.matches ? 'dark' : 'light')
  document.documentElement.dataset.theme = chosen
  document.getElementById('theme').textContent = t(chosen === 'dark' ? 'light' : 'dark')
  document.getElementById('theme').value = chosen
}
themes.addEventListener('change', paint)
document.getElementById('theme').addEventListener('click', event => {
  localStorage.setItem('theme', event.target.value === 'dark' ? 'light' : 'dark')
  paint()
})
const faults = () => showFaults(state => {
  document.getElementById('domain').textContent = state.domain
  knowHooks(state.outgoing.some(hook => hook.active))
})
document.getElementById('language').addEventListener('click', () => {
  switchLanguage()
  translate()
  paint()
  redraw()
  faults()
  show()
})
document.getElementById('recount').addEventListener('click', startCount)

async function portals () {
  const names = await get('portals')
  const choice = document.getElementById('portal')
  choice.hidden = names.length < 2
  choice.replaceChildren(...names.map(name => new Option(name, name, false, name === (portalName || names[0]))))
  choice.onchange = () => { location.search = `?portal=${encodeURIComponent(choice.value)}` }
}

if (innerWidth < 832) document.getElementById('faults').open = false // the strip comes first there
translate()
paint()
show()
faults()
portals()
let lost = false
follow(() => { itemsChanged(); if (lost) { lost = false; faults() } }, () => { lost = true; say(t('lost')) })
