// Every word of the page, in both languages; a key that one of them lacks is shown as it is.
const en = {
  title: 'Demo portal', skip: 'To the strip', deals: 'Deals', contacts: 'Contacts', tasks: 'Tasks', talk: 'Notifications',
  developer: 'Developer resources', strip: 'The strip: the way of every event', recount: 'Count from here', faults: 'Faults',
  dark: 'Dark', light: 'Light', funnel: 'Funnel', edit200: 'Edit 200 deals', make200: 'Make 200 deals', newDeal: 'New deal',
  newContact: 'New contact', newTask: 'New task', more: 'and {n} more', total: '{n} in all', empty: 'Nothing here yet.',
  keys: 'Drag a deal to another stage, or select it and press Alt and an arrow key. Enter opens it.',
  name: 'Name', phone: 'Phone', email: 'E-mail', responsible: 'Responsible', task: 'Task', about: 'About', status: 'Status',
  to: 'To', message: 'Message', time: 'Time', close: 'Close', save: 'Save', remove: 'Delete', stage: 'Stage', timeline: 'Timeline',
  history: 'History', noTimeline: 'No comments yet. What a reaction writes appears here.', noHistory: 'Nothing has been changed yet.',
  products: 'Products', productName: 'Product', price: 'Price', quantity: 'Quantity', sum: 'Total', addRow: '+ row', saveRows: 'Save products',
  person: 'in the portal', rest: 'over REST', write: 'Write a comment', send: 'Send', saved: 'Saved', moved: '{title} is in {stage} now',
  events: 'events', requests: 'requests', commands: 'calls in them', refused: 'refused (503)', waiting: 'waiting',
  noRows: 'No event yet. Move a deal, and its way appears here.',
  noHook: 'No outgoing webhook yet: nobody is told of changes. Create one in Developer resources, or start the stack with make run.',
  sent: 'sent', verified: 'verified', published: 'published', read: 'read', changed: 'changed', reacted: 'reacted', written: 'written back',
  foundBySweep: 'found by a sweep', incoming: 'Incoming webhooks', outgoing: 'Outgoing webhooks', create: 'Create', address: 'Address',
  scopes: 'Permissions', owner: 'Owner', reissue: 'New secret', expires: 'expires', expired: 'expired', builder: 'Build a request',
  method: 'Method', params: 'Parameters (JSON)', run: 'Run', answer: 'Answer', handler: 'URL of your handler', token: 'Application token',
  which: 'Events (none ticked: all)', allEvents: 'All events', active: 'active', off: 'off', on: 'on', copy: 'Copy', copied: 'Copied', calls: 'Requests', asked: 'Request', noCalls: 'No request yet.', failedOnly: 'failed only', itsRequests: 'requests', robots: 'Robots', absent: '(Bitrix24 has this method, it is not simulated here)',
  badJson: 'The parameters are no JSON', f_rate: '503: too many requests', f_server: '500 for every third call', f_after: 'Answers lost after execution',
  f_slow: 'Answers take 3 s', f_html: 'A page instead of JSON', f_block: 'Portal blocked (OVERLOAD_LIMIT)', f_time: '429: method out of time',
  f_loss: 'Every third event lost', f_double: 'Events doubled', f_late: 'Events 5 s late', f_mixed: 'Events out of order',
  f_rights: 'Owner may not read deals', f_key: 'Webhook expired', f_shift: 'Time filters shifted by 3 h', f_clock: 'Clock an hour fast',
  g_rest: 'REST', g_events: 'Events', g_portal: 'Portal', robotAdd: '+ robot', robotOn: 'Robot “Outgoing webhook” on {stage}', robotHandler: 'Handler', robotHint: 'It calls this address when a deal enters the stage. {=Document:TITLE} stands for a field; & + # in its value break the address, {{=urlencode({=Document:TITLE})}} does not.',
  allOff: 'All off', failed: 'That did not work: {why}', lost: 'connection lost, trying again',
}
const ru = {
  title: 'Демо-портал', skip: 'К ленте', deals: 'Сделки', contacts: 'Контакты', tasks: 'Задачи', talk: 'Уведомления',
  developer: 'Разработчикам', strip: 'Лента: путь каждого события', recount: 'Считать отсюда', faults: 'Сбои',
  dark: 'Тёмная', light: 'Светлая', funnel: 'Воронка', edit200: 'Изменить 200 сделок', make200: 'Создать 200 сделок', newDeal: 'Новая сделка',
  newContact: 'Новый контакт', newTask: 'Новая задача', more: 'и ещё {n}', total: 'всего {n}', empty: 'Здесь пока пусто.',
  keys: 'Перетащите сделку на другую стадию или выберите её и нажмите Alt и стрелку. Enter открывает карточку.',
  name: 'Имя', phone: 'Телефон', email: 'E-mail', responsible: 'Ответственный', task: 'Задача', about: 'Связано с', status: 'Статус',
  to: 'Кому', message: 'Сообщение', time: 'Время', close: 'Закрыть', save: 'Сохранить', remove: 'Удалить', stage: 'Стадия', timeline: 'Таймлайн',
  history: 'История', noTimeline: 'Комментариев нет. Здесь появится то, что напишет реакция.', noHistory: 'Изменений ещё не было.',
  products: 'Товары', productName: 'Товар', price: 'Цена', quantity: 'Количество', sum: 'Итого', addRow: '+ строка', saveRows: 'Сохранить товары',
  person: 'на портале', rest: 'через REST', write: 'Написать комментарий', send: 'Отправить', saved: 'Сохранено', moved: '{title}: теперь «{stage}»',
  events: 'событий', requests: 'запросов', commands: 'вызовов в них', refused: 'отказов (503)', waiting: 'в очереди',
  noRows: 'Событий ещё не было. Передвиньте сделку, и здесь появится путь события.',
  noHook: 'Исходящего вебхука нет: об изменениях никто не узнает. Создайте его в разделе «Разработчикам» или запустите стек: make run.',
  sent: 'отправлено', verified: 'проверено', published: 'опубликовано', read: 'прочитано', changed: 'изменилось', reacted: 'реакция', written: 'записано',
  foundBySweep: 'найдено обходом', incoming: 'Входящие вебхуки', outgoing: 'Исходящие вебхуки', create: 'Создать', address: 'Адрес',
  scopes: 'Права', owner: 'Владелец', reissue: 'Новый ключ', expires: 'до', expired: 'истёк', builder: 'Конструктор запросов',
  method: 'Метод', params: 'Параметры (JSON)', run: 'Выполнить', answer: 'Ответ', handler: 'URL вашего обработчика', token: 'Токен приложения',
  which: 'События (не отмечено ни одного: все)', allEvents: 'Все события', active: 'включён', off: 'выкл.', on: 'вкл.', copy: 'Копировать', copied: 'Скопировано', calls: 'Запросы', asked: 'Запрос', noCalls: 'Запросов ещё не было.', failedOnly: 'только с ошибкой', itsRequests: 'запросы', robots: 'Роботы', absent: '(в Битрикс24 этот метод есть, здесь он не моделируется)',
  badJson: 'Параметры — не JSON', f_rate: '503: слишком много запросов', f_server: '500 на каждый третий вызов', f_after: 'Ответ теряется после выполнения',
  f_slow: 'Ответ через 3 с', f_html: 'Страница вместо JSON', f_block: 'Портал заблокирован (OVERLOAD_LIMIT)', f_time: '429: время метода вышло',
  f_loss: 'Каждое третье событие теряется', f_double: 'События дважды', f_late: 'События опаздывают на 5 с', f_mixed: 'События вперемешку',
  f_rights: 'Владелец не видит сделок', f_key: 'Вебхук истёк', f_shift: 'Фильтры времени сдвинуты на 3 ч', f_clock: 'Часы спешат на час',
  g_rest: 'REST', g_events: 'События', g_portal: 'Портал', robotAdd: '+ робот', robotOn: 'Робот «Исходящий вебхук»: {stage}', robotHandler: 'Обработчик', robotHint: 'Вызывает этот адрес, когда сделка попадает на стадию. {=Document:TITLE} — поле; & + # в его значении ломают адрес, {{=urlencode({=Document:TITLE})}} — нет.',
  allOff: 'Выключить все', failed: 'Не получилось: {why}', lost: 'связь потеряна, пробуем снова',
}
// Names that come from the portal itself, for who reads it in Russian; others stay as they are there.
const names = {
  NEW: 'Новая', PREPARATION: 'Подготовка документов', PREPAYMENT_INVOICE: 'Счёт на предоплату', EXECUTING: 'В работе',
  FINAL_INVOICE: 'Финальный счёт', WON: 'Сделка успешна', LOSE: 'Сделка провалена', APOLOGY: 'Анализ причины провала',
  title: 'Название', opportunity: 'Сумма', name: 'Имя', lastName: 'Фамилия', post: 'Должность', comments: 'Комментарий', companyTitle: 'Компания', General: 'Общая',
}
const fields = { title: 'Title', opportunity: 'Amount', name: 'Name', lastName: 'Last name', post: 'Position', comments: 'Comment', companyTitle: 'Company' }
const tables = { en, ru }
let language = localStorage.getItem('language') ?? (navigator.language.startsWith('ru') ? 'ru' : 'en')

export const t = (key, values = {}) =>
  (tables[language][key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '')

export function translate (root = document) {
  document.documentElement.lang = language
  document.title = t('title')
  for (const node of root.querySelectorAll('[data-t]')) node.textContent = t(node.dataset.t)
  const other = document.getElementById('language')
  other.textContent = language === 'ru' ? 'English' : 'Русский'
  other.lang = language === 'ru' ? 'en' : 'ru'
}

export function switchLanguage () {
  language = language === 'ru' ? 'en' : 'ru'
  localStorage.setItem('language', language)
}

export const named = (code, name) => (language === 'ru' ? names[code] : fields[code]) ?? name ?? code
export const number = value => new Intl.NumberFormat(language).format(value)
export const clock = seconds => new Date(seconds * 1000).toLocaleTimeString(language)
export const keys = { en: Object.keys(en), ru: Object.keys(ru) }
