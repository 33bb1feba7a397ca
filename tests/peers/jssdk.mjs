// The vendor's JavaScript client against a portal: print as JSON what each of its ways gave.
// WEBHOOK (https) and NODE_EXTRA_CA_CERTS come from the environment.
import { B24Hook } from '@bitrix24/b24jssdk'

const portal = B24Hook.fromWebhookUrl(process.env.WEBHOOK)
portal.offClientSideWarning()
const { call, batch, batchByChunk, callList, fetchList } = portal.actions.v2
const told = {}

async function one (method, params) {
  const answer = await call.make({ method, params })
  return answer.isSuccess ? answer.getData().result : answer.getErrorMessages()
}
async function refusal (method, params) {
  try {
    const answer = await call.make({ method, params })
    return answer.isSuccess ? null : [...answer.errors.values()].map(error => error.code ?? error.message)
  } catch (error) {
    return [error.code]
  }
}

const deal = await one('crm.item.add', { entityTypeId: 2, fields: { title: 'from the SDK', opportunity: 5 } })
told.added = deal.item.id
told.got = (await one('crm.item.get', { entityTypeId: 2, id: told.added })).item.opportunity
told.updated = (await one('crm.item.update', { entityTypeId: 2, id: told.added, fields: { title: 'changed' } })).item.title
const select = ['id', 'title']
told.callList = (await callList.make({ method: 'crm.item.list', params: { entityTypeId: 2, select }, idKey: 'id', customKeyForResult: 'items' })).getData().length
let fetched = 0
for await (const page of fetchList.make({ method: 'crm.item.list', params: { entityTypeId: 2, select }, idKey: 'id', customKeyForResult: 'items' })) fetched += page.length
told.fetchList = fetched
const named = await batch.make({ calls: { a: { method: 'crm.item.list', params: { entityTypeId: 2, select, order: { id: 'DESC' } } }, b: { method: 'crm.item.get', params: { entityTypeId: 2, id: '$result[a][items][0][id]' } } }, options: { isHaltOnError: true } })
told.batch = named.getData().b.item.title
const listed = await batch.make({ calls: [['server.time', {}], ['profile', {}]], options: { isHaltOnError: true } })
told.listed = listed.getData().length
const many = Array.from({ length: 60 }, (_, i) => ({ method: 'crm.deal.get', params: { id: i + 1 } }))
told.chunks = (await batchByChunk.make({ calls: many, options: { isHaltOnError: true } })).getData().length
const task = await one('tasks.task.add', { fields: { TITLE: 'x', RESPONSIBLE_ID: 1 } })
told.task = task.task.title
told.comment = await one('task.commentitem.add', [task.task.id, { POST_MESSAGE: 'hello' }])
told.deleted = await one('crm.item.delete', { entityTypeId: 2, id: told.added })
told.missing = await refusal('crm.item.get', { entityTypeId: 2, id: 99999 })
told.ping = (await portal.tools.ping.make()) < 5000
console.log(JSON.stringify(told))
