// The page of the demo: shows what the client in client.js sees, and breaks its connection on request.
// Whatever comes from others is put into text nodes, never into markup.

// #if chat
import { ChatClient } from './client.js';
// #endif
// #if pubsub
import { PubsubClient } from './client.js';
// #endif
// #if live
import { LiveUpdatesClient } from './client.js';
// #endif

/** Rows that are kept on the page of each stream. */
const MAX_ROWS = 500;
const MAX_HAPPENED = 50;
/** A person watches: attempts are more frequent than a program's would be. */
const BACKOFF = { baseMs: 500, maxMs: 5000 };

// #if chat
const EVENT = 'message';
// #endif
// #if rooms
const FIRST = 'lobby';
// #endif
// #if pubsub
const EVENT = 'event';
const FIRST = 'demo.#';
// #endif
// #if live
const EVENT = 'change';
const FIRST = 'prices';
// #endif

const STATES = {
  idle: 'Not connected',
  connecting: 'Connecting',
  authenticating: 'Signing in',
  resuming: 'Catching up',
  open: 'Connected',
  waiting: 'No connection',
  closed: 'Disconnected',
};

const byId = (id) => document.getElementById(id);

/** An element with text; an argument after the text is another child. */
function element(tag, className, text = '', ...children) {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.textContent = text;
  // What others write may be in another direction.
  if (text !== '') made.dir = 'auto';
  made.append(...children);
  return made;
}

function clock(at = new Date()) {
  const date = new Date(at);
  const made = element('time', '', Number.isNaN(date.getTime()) ? '' : date.toLocaleTimeString());
  if (made.textContent !== '') made.dateTime = date.toISOString();
  return made;
}

function happened(text) {
  byId('happened').prepend(element('li', '', '', clock(), element('span', '', text)));
  byId('happened').children[MAX_HAPPENED]?.remove();
}

// ---- a network that can be cut ------------------------------------------------------------------

let isCut = false;
let socket;

/** What the client uses in place of WebSocket: while the network is cut, every attempt fails. */
function CuttableSocket(url, protocols) {
  if (isCut) {
    const dead = { readyState: 3, bufferedAmount: 0, send() {}, close() {} };
    setTimeout(() => dead.onclose?.({ code: 1006, reason: 'you have cut the connection' }));
    return dead;
  }
  socket = new WebSocket(url, protocols);
  return socket;
}

function setCut(value) {
  isCut = value;
  const button = byId('cut');
  button.classList.toggle('on', isCut);
  button.textContent = isCut ? 'Connect again' : 'Cut the connection';
  // The client is told nothing more of this socket: no closing handshake, just silence.
  if (isCut) socket?.onclose?.({ code: 1006, reason: 'you have cut the connection' });
  // As a browser does when the network is back: the client need not wait for its next attempt.
  else dispatchEvent(new Event('online'));
}

// ---- streams: what the client listens to ----------------------------------------------------------

let client;
let user;
let shown;
/** By name: the client's stream and the rows of its log. */
const views = new Map();

function open(name) {
  const present = views.get(name);
  if (present !== undefined) {
    show(present);
    return;
  }
  // #if chat
  const stream = client.join(name);
  // #endif
  // #if pubsub
  const stream = client.subscribe(name);
  // #endif
  // #if live
  const stream = client.watch(name);
  // #endif
  const view = { name, stream, rows: [], caughtUp: undefined, unread: 0 };
  views.set(name, view);
  stream.on(EVENT, (event) => take(view, event));
  stream.on('recovered', ({ recovered }) => {
    view.caughtUp = mark(view, recovered);
  });
  stream.on('joined', () => {
    const { caughtUp } = view;
    view.caughtUp = undefined;
    if (caughtUp !== undefined) {
      describeMark(caughtUp);
      happened(`${titleOf(view)}: ${caughtUp.row.textContent}`);
    }
    render();
  });
  stream.on('error', (error) => {
    add(view, element('li', 'mark failed', `${error.code}: ${error.message}`));
    happened(`${titleOf(view)}: ${error.code}`);
  });
  // #if presence
  stream.on('members', render);
  // #endif
  // #if live
  stream.on('removed', () => add(view, element('li', 'mark gap', 'The document was removed.')));
  // #endif
  show(view);
}

function titleOf({ name }) {
  return name === '' ? 'Everybody' : name;
}

/** Says where a connection was lost. After a gap what came before does not lead to what follows. */
function mark(view, recovered) {
  if (!recovered) for (const row of view.rows) row.classList.add('before');
  const row = element('li', `mark ${recovered ? 'recovered' : 'gap'}`);
  row.dataset.recovered = String(recovered);
  const made = { recovered, count: 0, row };
  describeMark(made);
  add(view, row);
  return made;
}

function describeMark({ recovered, count, row }) {
  row.dataset.count = String(count);
  const some = `${count} ${EVENT}${count === 1 ? '' : 's'}`;
  // #if live
  row.textContent = recovered
    ? `recovered: true – caught up, ${some} in between`
    : 'recovered: false – a gap: changes may be missing, the document was loaded anew';
  // #else
  //~ row.textContent = recovered
  //~   ? `recovered: true – ${some} caught up`
  //~   : `recovered: false – a gap: the server cannot tell what was missed; it still has ${some}`;
  // #endif
}

/** An event of a stream. */
function take(view, event) {
  if (view.caughtUp !== undefined) view.caughtUp.count++;
  add(view, rowOf(event));
  if (view !== shown) view.unread++;
  render();
}

function rowOf(event) {
  const { offset } = event;
  // #if chat
  const [who, what, kind] = [event.from, event.text, 'what'];
  // #endif
  // #if pubsub
  const [who, what, kind] = [
    event.from === undefined ? event.topic : `${event.topic} · ${event.from}`,
    JSON.stringify(event.data),
    'what data',
  ];
  // #endif
  // #if live
  const [who, what, kind] = [
    event.patch === undefined ? 'whole document' : 'patch',
    event.patch === undefined ? '' : event.patch.map(operationText).join('\n'),
    'what data',
  ];
  // #endif
  const at = element('span', 'quiet', offset === undefined ? '' : `#${offset} `);
  at.append(clock(event.at));
  const row = element('li', '', '', element('span', 'who', who), at);
  if (what !== '') row.append(element('span', kind, what));
  if (offset !== undefined) row.dataset.offset = String(offset);
  return row;
}

// #if live
function operationText({ op, path, from, value }) {
  const [source, content] = [from ?? '', value === undefined ? '' : JSON.stringify(value)];
  return [op, source, path === '' ? '(all)' : path, content].filter((one) => one !== '').join(' ');
}

// #endif
function add(view, row) {
  view.rows.push(row);
  const dropped = view.rows.length > MAX_ROWS ? view.rows.shift() : undefined;
  dropped?.remove();
  if (view === shown) append(row);
}

/** Shows a row of the log, and stays at its end if it was there. */
function append(row) {
  const log = byId('log');
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.querySelector('.empty')?.remove();
  log.append(row);
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

function show(view) {
  shown = view;
  view.unread = 0;
  const log = byId('log');
  const empty = element('li', 'empty', `No ${EVENT} yet.`);
  log.replaceChildren(...(view.rows.length === 0 ? [empty] : view.rows));
  log.scrollTop = log.scrollHeight;
  // #if pubsub
  byId('topic').value = view.name.replaceAll('*', 'one').replace('#', 'hello');
  // #endif
  render();
}

function render() {
  if (shown === undefined) return;
  const { stream } = shown;
  byId('title').textContent = titleOf(shown);
  const { since } = stream;
  byId('position').textContent =
    since === undefined ? '' : `position ${since.offset} in epoch ${since.epoch.slice(0, 6)}`;
  // #if live
  const { data } = stream;
  byId('document').textContent = data === undefined ? '' : JSON.stringify(data, null, 2);
  // #endif
  // #if presence
  byId('members-title').textContent = `Who ${client.state.name === 'open' ? 'is' : 'was'} here`;
  const members = stream.members.map((name) => (name === user ? `${name} (you)` : name));
  // Screen readers tell what is replaced.
  if (members.join() !== [...byId('members').children].map((one) => one.textContent).join()) {
    byId('members').replaceChildren(...members.map((name) => element('li', '', name)));
  }
  // #endif
  // #if rooms || pubsub || live
  renderStreams();
  // #endif
}

// #if rooms || pubsub || live
function renderStreams() {
  const focused = document.activeElement?.dataset.key;
  const items = [...views.values()].map((view) => {
    const count = view.unread === 0 ? [] : [element('span', 'unread', String(view.unread))];
    const name = element('button', 'name', '', element('span', '', titleOf(view)), ...count);
    name.dataset.key = `show ${view.name}`;
    name.setAttribute('aria-current', String(view === shown));
    name.addEventListener('click', () => show(view));
    const leave = element('button', 'leave', '×');
    leave.dataset.key = `leave ${view.name}`;
    leave.setAttribute('aria-label', `Leave ${titleOf(view)}`);
    leave.hidden = views.size === 1;
    leave.addEventListener('click', () => {
      view.stream.leave();
      views.delete(view.name);
      if (view === shown) show(views.values().next().value);
      else render();
    });
    return element('li', '', '', name, leave);
  });
  byId('streams').replaceChildren(...items);
  if (focused === undefined) return;
  items
    .flatMap((item) => [...item.children])
    .find((one) => one.dataset.key === focused)
    ?.focus();
}

// #endif
// #if chat || pubsub
/** Shows what is on its way to the server: until it has taken it, or with the reason why it has not. */
function sending(view, text, result) {
  const row = element('li', 'mark waits', `Not sent yet: ${text}`);
  // Most are taken at once.
  const timer = setTimeout(() => add(view, row), 300);
  const done = () => {
    clearTimeout(timer);
    view.rows = view.rows.filter((one) => one !== row);
    row.remove();
  };
  result.then(done, (error) => {
    done();
    add(view, element('li', 'mark failed', `Not sent (${error.code}): ${text}`));
  });
}

// #endif
// ---- connection -----------------------------------------------------------------------------------

let retryAt;

function showState({ name, reason, code, retryInMs }) {
  byId('state').dataset.state = name;
  byId('state-name').textContent = STATES[name];
  retryAt = retryInMs === undefined ? undefined : performance.now() + retryInMs;
  showCountdown();
  const isNamed = code === undefined || reason.includes(String(code));
  const why = isNamed ? reason : `${reason} (${code})`;
  byId('reason').textContent = why;
  const wait = retryInMs === undefined ? '' : `; next attempt in ${seconds(retryInMs)} s`;
  happened(why === '' ? STATES[name] : `${STATES[name]}: ${why}${wait}`);
  render();
}

function seconds(milliseconds) {
  return (Math.max(0, milliseconds) / 1000).toFixed(1);
}

function showCountdown() {
  byId('countdown').textContent =
    retryAt === undefined ? '' : `· next attempt in ${seconds(retryAt - performance.now())} s`;
}

/** The address of the server that this page is from. */
function serverUrl() {
  const url = new URL('/', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  // #if auth
  // #else
  //~ url.searchParams.set('user', user);
  // #endif
  return url.href;
}

// #if auth
async function getToken() {
  const own = byId('token').value.trim();
  if (own !== '') return own;
  const response = await fetch('/demo/token', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ user }),
  });
  const { token, error } = await response.json();
  if (!response.ok) throw new Error(`no token: ${error}`);
  return token;
}

// #endif
function start() {
  const options = { url: serverUrl(), backoff: BACKOFF, WebSocket: CuttableSocket };
  // #if auth
  options.getToken = getToken;
  // #endif
  // #if chat
  client = new ChatClient(options);
  // #endif
  // #if pubsub
  client = new PubsubClient(options);
  // #endif
  // #if live
  client = new LiveUpdatesClient(options);
  // #endif
  client.on('state', showState);
  client.on('error', (error) => {
    happened(`${error.code}: ${error.cause?.message ?? error.message}`);
  });
  // #if rooms || pubsub || live
  open(FIRST);
  // #else
  //~ open('');
  // #endif
  client.connect();
  setInterval(showCountdown, 100);
}

byId('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  user = byId('name').value;
  byId('user').textContent = user;
  byId('user').hidden = false;
  byId('sign-in').hidden = true;
  byId('app').hidden = false;
  start();
  document.querySelector('#talk input')?.focus({ preventScroll: true });
});

byId('cut').addEventListener('click', () => setCut(!isCut));

byId('stop').addEventListener('click', async () => {
  happened('You stop the server.');
  try {
    const response = await fetch('/demo/stop', { method: 'POST' });
    if (!response.ok) happened(`The server does not let you: HTTP ${response.status}`);
  } catch {
    happened('There is no server to stop.');
  }
});

// #if rooms || pubsub || live
byId('open').addEventListener('submit', (event) => {
  event.preventDefault();
  open(byId('open-name').value.trim());
  byId('open').reset();
});

// #endif
// #if chat
byId('send').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = byId('text').value;
  sending(shown, text, shown.stream.send(text));
  byId('send').reset();
});

// #endif
// #if pubsub
byId('publish').addEventListener('submit', (event) => {
  event.preventDefault();
  const [topic, text] = [byId('topic').value.trim(), byId('data').value];
  sending(shown, `${topic} ${text}`, client.publish(topic, parsed(text)));
  byId('data').value = '';
});

/** What was typed, as JSON if it is that, otherwise as text. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

// #endif
byId('name').focus();
