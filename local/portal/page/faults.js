// The fault switches beside the strip. What is on is asked of the portal, so two pages agree.
import { t } from './strings.js'
import { el, get, patch, post, remove } from './tools.js'

const fault = given => ({
  on: state => state.faults.some(one => one.kind === given.kind && one.when === (given.when ?? 'before')),
  set: async (wanted, state) => {
    if (wanted) return post('faults', given)
    for (const one of state.faults) if (one.kind === given.kind) await remove('faults', { id: one.id })
  },
})
const event = (name, value) => ({
  on: state => state.settings.events[name] > 0,
  set: wanted => patch('settings', { events: { [name]: wanted ? value : 0 } }),
})
const HOUR = 3600

const SWITCHES = {
  g_rest: {
    f_rate: fault({ kind: 'rate' }),
    f_server: fault({ kind: 'server_error', share: 0.33 }),
    f_after: fault({ kind: 'timeout', when: 'after', seconds: 3, share: 0.5 }),
    f_slow: fault({ kind: 'slow', seconds: 3 }),
    f_html: fault({ kind: 'html_200' }),
    f_time: fault({ kind: 'operating' }),
    f_block: fault({ kind: 'overload' }),
  },
  g_events: {
    f_loss: event('loss', 0.33),
    f_double: event('doubling', 1),
    f_late: event('delay_seconds', 5),
    f_mixed: event('reordering', 1),
  },
  g_portal: {
    f_rights: {
      on: state => state.denials.some(one => one.user === 1 && one.entityTypeId === 2),
      set: wanted => wanted ? post('denials', { user: 1, entityTypeId: 2 }) : remove('denials', { user: 1, entityTypeId: 2 }),
    },
    f_key: {
      on: state => state.incoming[0]?.expires != null,
      set: (wanted, state) => patch('incoming', { id: state.incoming[0].id, expires: wanted ? 1 : null }),
    },
    f_shift: { on: state => state.settings.filter_shift_hours > 0, set: wanted => patch('settings', { filter_shift_hours: wanted ? 3 : 0 }) },
    f_clock: { on: state => state.clock.skew_seconds > 0, set: wanted => post('clock', { skew_seconds: wanted ? HOUR : 0 }) },
  },
}
const all = Object.values(SWITCHES).flatMap(group => Object.entries(group))

export async function showFaults (onState) {
  const state = await get('state')
  onState(state)
  const box = document.getElementById('switches')
  const focused = document.activeElement?.id
  const again = () => showFaults(onState)
  const toggle = (name, one) => el('label', { class: 'switch' },
    el('input', { type: 'checkbox', role: 'switch', id: name, checked: one.on(state), onchange: async e => { await one.set(e.target.checked, state); await again() } }),
    el('span', {}, t(name)))
  const off = async () => { for (const [, one] of all) if (one.on(state)) await one.set(false, state); await again() }
  const some = all.some(([, one]) => one.on(state))
  box.replaceChildren(
    ...Object.entries(SWITCHES).map(([group, ones]) => el('fieldset', {}, el('legend', {}, t(group)), ...Object.entries(ones).map(([name, one]) => toggle(name, one)))),
    el('button', { id: 'allOff', disabled: !some, onclick: off }, t('allOff')))
  document.getElementById('strip').classList.toggle('faulty', some)
  if (focused) document.getElementById(focused)?.focus()
}
