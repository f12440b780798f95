// What the page does: it sends what you write, as it is, and shows what comes.
// @ts-check

/** Messages to begin with, by protocol. */
const EXAMPLES = {
  // #if jsonrpc
  'json-rpc': {
    add: { jsonrpc: '2.0', id: 1, method: 'add', params: { a: 1, b: 2 } },
    'by position': { jsonrpc: '2.0', id: 2, method: 'add', params: [1, 2] },
    greet: { jsonrpc: '2.0', id: 3, method: 'greet' },
    'answer a call': { jsonrpc: '2.0', id: 1, result: 'Ada' },
    'a batch': [
      { jsonrpc: '2.0', id: 4, method: 'add', params: [1, 2] },
      { jsonrpc: '2.0', method: 'add', params: [3, 4] },
    ],
  },
  // #endif
  // #if graphql
  'graphql-transport-ws': {
    init: { type: 'connection_init' },
    query: { id: '1', type: 'subscribe', payload: { query: '{ __typename }' } },
    complete: { id: '1', type: 'complete' },
    ping: { type: 'ping' },
  },
  // #endif
  // #if mcp
  mcp: {
    initialize: {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'page', version: '1' },
      },
    },
    initialized: { jsonrpc: '2.0', method: 'notifications/initialized' },
    subscribe: {
      jsonrpc: '2.0',
      id: 2,
      method: 'resources/subscribe',
      params: { uri: 'note://shared' },
    },
    'call a tool': {
      jsonrpc: '2.0',
      id: 3,
      method: 'tools/call',
      params: { name: 'write-note', arguments: { text: 'hello' } },
    },
    read: { jsonrpc: '2.0', id: 4, method: 'resources/read', params: { uri: 'note://shared' } },
  },
  // #endif
  // #if wamp
  'wamp.2.json': {
    hello: [1, 'realm1', { roles: { subscriber: {}, publisher: {}, caller: {}, callee: {} } }],
    subscribe: [32, 1, {}, 'com.example.topic'],
    publish: [16, 2, { acknowledge: true, exclude_me: false }, 'com.example.topic', ['hi']],
    goodbye: [6, {}, 'wamp.close.normal'],
  },
  // #endif
};
/** Messages that are kept on the page. */
const MAX_LINES = 500;

const byId = (id) => document.getElementById(id);
/** @type {WebSocket | undefined} */
let socket;

function show(state, text) {
  byId('state').dataset.state = state;
  byId('state-name').textContent = text;
  byId('close').disabled = state !== 'open';
}

function write(kind, who, text) {
  const line = document.createElement('li');
  line.className = kind;
  for (const [name, content] of [
    ['who', who],
    ['data', text],
  ]) {
    const part = document.createElement('span');
    part.className = name;
    part.textContent = content;
    line.append(part, ' ');
  }
  const log = byId('log');
  log.append(line);
  while (log.childElementCount > MAX_LINES) log.firstElementChild.remove();
  log.scrollTop = log.scrollHeight;
}

async function serverUrl() {
  const url = new URL('.', location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  url.hash = '';
  // #if auth
  // A page cannot send headers: a token gives a ticket, and that goes into the URL once.
  const user = byId('name').value;
  const body = JSON.stringify({ user });
  const { token, error } = await (await fetch('demo/token', { method: 'POST', body })).json();
  if (token === undefined) throw new Error(error);
  const headers = { Authorization: `Bearer ${token}` };
  const { ticket } = await (await fetch('ticket', { method: 'POST', headers })).json();
  url.search = new URLSearchParams({ ticket }).toString();
  // #endif
  return url.href;
}

async function connect() {
  socket?.close();
  show('connecting', 'Connecting');
  const opened = new WebSocket(await serverUrl(), byId('protocol').value);
  socket = opened;
  opened.onopen = () => show('open', 'Connected');
  opened.onmessage = ({ data }) => write('', 'server', data);
  opened.onclose = ({ code, reason }) => {
    write('failed', 'closed', `${code} ${reason}`);
    if (socket === opened) show('closed', 'Closed');
  };
}

function showExamples() {
  const buttons = Object.entries(EXAMPLES[byId('protocol').value] ?? {}).map(([name, message]) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = name;
    button.onclick = () => {
      byId('text').value = JSON.stringify(message);
    };
    return button;
  });
  byId('examples').replaceChildren(...buttons);
}

byId('connect').addEventListener('submit', (event) => {
  event.preventDefault();
  connect().catch((error) => {
    write('failed', 'failed', error.message);
    show('closed', 'Closed');
  });
});
byId('send').addEventListener('submit', (event) => {
  event.preventDefault();
  if (socket?.readyState !== WebSocket.OPEN) return;
  const text = byId('text').value;
  socket.send(text);
  write('', 'you', text);
});
byId('close').addEventListener('click', () => socket?.close());
byId('stop').addEventListener('click', () => void fetch('demo/stop', { method: 'POST' }));
byId('protocol').addEventListener('change', showExamples);
showExamples();
