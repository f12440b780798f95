// The page of the demo: a text that several people edit, and who they are. `npm run build` puts it, with Yjs, into
// dist/public/app.js. Whatever comes from others is put into text nodes, never into markup.

import * as Y from 'yjs';
import { CollabProvider } from './client.js';

/** The document: another with `#<name>` at the end of the page's address. */
const DOCUMENT = location.hash.slice(1) || 'demo';
const MAX_HAPPENED = 50;
/** A person watches: attempts are more frequent than a program's would be. */
const BACKOFF = { baseMs: 500, maxMs: 5000 };
/** Milliseconds between two messages about where one's caret is. */
const CARET_MS = 200;
/** To be seen on light and on dark. */
const COLORS = ['#d9480f', '#2f7de1', '#1c8a4a', '#b5489a', '#8a6d00', '#0f8a94', '#7a5ce0'];

const byId = (id) => document.getElementById(id);

function element(tag, className, text = '', ...children) {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.textContent = text;
  // What others write may be in another direction.
  if (text !== '') made.dir = 'auto';
  made.append(...children);
  return made;
}

function happened(text) {
  const time = element('time', '', new Date().toLocaleTimeString());
  byId('happened').prepend(element('li', '', '', time, element('span', '', text)));
  byId('happened').children[MAX_HAPPENED]?.remove();
}

// ---- a textarea and a text ------------------------------------------------------------------------

const isHigh = (unit) => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit) => unit >= 0xdc00 && unit < 0xe000;

/**
 * What was done to `before`: `inserted` in place of what is from `start` to `end`. Of "aa" it shows nothing which
 * "a" is new, but `caret`, where the caret is in `after`, does.
 */
function difference(before, after, caret) {
  const most = Math.min(before.length, after.length);
  let [head, tail] = [0, 0];
  const skipTail = (limit) => {
    while (tail < limit && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  };
  skipTail(Math.min(most, after.length - caret));
  while (head < most - tail && before[head] === after[head]) head++;
  skipTail(most - head);
  // A character of two units changes as a whole.
  if (head > 0 && isHigh(before.charCodeAt(head - 1))) head--;
  if (tail > 0 && isLow(before.charCodeAt(before.length - tail))) tail--;
  const inserted = after.slice(head, after.length - tail);
  return { start: head, end: before.length - tail, inserted };
}

/** Where `index` is after `delta`, a change of a text. */
function indexAfter(delta, index) {
  let at = 0;
  let moved = index;
  for (const { retain = 0, insert = '', delete: removed = 0 } of delta) {
    if (at >= moved) break;
    moved += insert.length - Math.min(removed, moved - at);
    at += retain + insert.length;
  }
  return moved;
}

/** Where `delta` has changed something last. */
function endOf(delta) {
  let [at, end] = [0, 0];
  for (const { retain = 0, insert = '', delete: removed = 0 } of delta) {
    at += retain + insert.length;
    if (insert !== '' || removed > 0) end = at;
  }
  return end;
}

/** The position before or, with -1, after a character, wherever that will be. */
const positionIn = (text, index, side) => Y.createRelativePositionFromTypeIndex(text, index, side);

function indexOf(text, position) {
  return Y.createAbsolutePositionFromRelativePosition(position, text.doc)?.index ?? text.length;
}

/** Keeps `area` and `text` the same, and the caret where it is; gives what undoes what was done in `area`. */
function bind(area, text) {
  /** Origins of transactions. */
  const [typing, ends] = [{}, {}];
  const undo = new Y.UndoManager(text, { trackedOrigins: new Set([typing]) });
  let shown = '';
  let isComposing = false;
  /** Where the last change here ended: what is not done there is undone for itself. */
  let typedTo = 0;
  /** What others have done while characters are composed here, which ends when the textarea is changed. */
  let missed = [];

  const show = (start, end) => {
    const { scrollTop, selectionDirection } = area;
    area.value = text.toString();
    // Which has made \n of each end of a line.
    shown = area.value;
    area.setSelectionRange(start, end, selectionDirection);
    area.scrollTop = scrollTop;
  };

  const take = () => {
    const { start, end, inserted } = difference(shown, area.value, area.selectionEnd);
    shown = area.value;
    if (start !== typedTo && end !== typedTo) undo.stopCapturing();
    typedTo = start + inserted.length;
    const [from, to] = [start, end].map((index) =>
      missed.reduce((at, d) => indexAfter(d, at), index),
    );
    const hasMissed = missed.length > 0;
    missed = [];
    text.doc.transact(() => {
      text.delete(from, to - from);
      text.insert(from, inserted);
    }, typing);
    const caret = from + inserted.length;
    if (hasMissed) show(caret, caret);
  };

  // The caret has moved by itself while this was typed; before others' changes it is noted.
  let noted = [];
  text.doc.on('beforeTransaction', ({ origin }) => {
    if (isComposing || origin === typing || origin === ends) return;
    const { selectionStart: start, selectionEnd: end } = area;
    // What others insert at the caret is not before it, and what they insert around a selection not in it.
    noted = [positionIn(text, start, start === end ? -1 : 0), positionIn(text, end, -1)];
  });
  text.observe((event, { origin }) => {
    if (origin === typing) return;
    if (isComposing) {
      missed.push(event.delta);
      return;
    }
    // Before `event.delta` is read, which is a transaction, too.
    const [start, end] = noted.map((position) => indexOf(text, position));
    const last = origin === undo ? endOf(event.delta) : undefined;
    show(last ?? start, last ?? end);
    // A textarea counts \r\n as one character.
    const returns = [...text.toString().matchAll(/\r(?=\n)/g)].reverse();
    if (returns.length === 0) return;
    text.doc.transact(() => returns.forEach(({ index }) => text.delete(index, 1)), ends);
  });

  area.addEventListener('input', () => {
    if (!isComposing) take();
  });
  area.addEventListener('compositionstart', () => {
    isComposing = true;
  });
  area.addEventListener('compositionend', () => {
    isComposing = false;
    take();
  });
  // The browser's own history knows nothing of what others have written.
  area.addEventListener('beforeinput', (event) => {
    const own = { historyUndo: () => undo.undo(), historyRedo: () => undo.redo() }[event.inputType];
    if (own === undefined) return;
    event.preventDefault();
    own();
  });
  area.addEventListener('keydown', (event) => {
    const key = event.key.toLowerCase();
    const isRedo = key === 'y' || (key === 'z' && event.shiftKey);
    if (isComposing || event.altKey || !(event.ctrlKey || event.metaKey)) return;
    if (key !== 'z' && key !== 'y') return;
    event.preventDefault();
    if (isRedo) undo.redo();
    else undo.undo();
  });
  show(0, 0);
  return undo;
}

// ---- the connection -------------------------------------------------------------------------------

const doc = new Y.Doc();
const text = doc.getText('text');
const area = byId('editor');
let provider;
let isOffline = false;

function showState(name, state) {
  byId('state').dataset.state = state;
  if (byId('state-name').textContent === name) return;
  byId('state-name').textContent = name;
  happened(name);
}

function present() {
  const { name, reason } = provider.state;
  // While it connects again: why it has to.
  if (reason !== '' || name === 'open') byId('reason').textContent = isOffline ? '' : reason;
  if (isOffline) showState('Offline', 'idle');
  else if (name === 'open') showState('Connected', 'open');
  else if (name === 'closed') showState('Disconnected', 'closed');
  else showState('Connecting', 'connecting');
}

// #if auth
/** A token for the server; see src/demo.ts. */
async function getToken(user) {
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
function start(user) {
  const url = `${location.origin.replace(/^http/, 'ws')}/collab`;
  const options = {
    backoff: BACKOFF,
    // #if auth
    getToken: () => getToken(user),
    // #endif
  };
  provider = new CollabProvider(`${url}?user=${encodeURIComponent(user)}`, DOCUMENT, doc, options);
  provider.on('state', present);
  provider.on('denied', (why) => happened(`The server has not taken what you wrote: ${why}`));
  provider.on('error', ({ message, cause }) => happened(cause?.message ?? message));

  const undo = bind(area, text);
  const showUndo = () => {
    byId('undo').disabled = !undo.canUndo();
    byId('redo').disabled = !undo.canRedo();
  };
  for (const event of ['stack-item-added', 'stack-item-popped', 'stack-cleared']) {
    undo.on(event, showUndo);
  }
  for (const name of ['undo', 'redo']) {
    byId(name).addEventListener('click', () => undo[name]());
    // The textarea keeps the focus, and a telephone its keyboard.
    byId(name).addEventListener('mousedown', (event) => event.preventDefault());
  }
  const showLength = () => {
    byId('position').textContent = `${text.length} character${text.length === 1 ? '' : 's'}`;
  };
  text.observe(showLength);
  showLength();

  const { awareness } = provider;
  const color = COLORS[doc.clientID % COLORS.length];
  awareness.setLocalStateField('user', { name: user, color });
  awareness.on('change', showMembers);
  text.observe(showMembers);
  showMembers();
  let timer;
  const sayCaret = () => {
    timer = undefined;
    const { selectionStart, selectionEnd } = area;
    const [anchor, head] = [selectionStart, selectionEnd].map((at) => positionIn(text, at, -1));
    awareness.setLocalStateField('cursor', { anchor, head });
  };
  document.addEventListener('selectionchange', () => {
    if (document.activeElement === area) timer ??= setTimeout(sayCaret, CARET_MS);
  });
  present();
}

// ---- who is here ----------------------------------------------------------------------------------

function showMembers() {
  const rows = [...provider.awareness.getStates()].map(([id, { user, cursor }]) => {
    const isYou = id === doc.clientID;
    const name = typeof user?.name === 'string' ? user.name.slice(0, 64) : 'somebody';
    const dot = element('span', 'dot');
    const color = /^#[0-9a-f]{6}$/i.test(user?.color) ? user.color : 'currentcolor';
    dot.style.backgroundColor = color;
    const row = element('li', '', '', dot, element('span', '', isYou ? `${name} (you)` : name));
    const line = lineOf(cursor);
    if (line !== undefined) row.append(element('span', 'quiet', `line ${line}`));
    return row;
  });
  byId('members').replaceChildren(...rows);
}

/** The line of somebody's caret; undefined if they have none, or say nonsense. */
function lineOf(cursor) {
  try {
    const index = indexOf(text, Y.createRelativePositionFromJSON(cursor.head));
    return text.toString().slice(0, index).split('\n').length;
  } catch {
    return undefined;
  }
}

// ---- what is pressed ------------------------------------------------------------------------------

byId('sign-in').addEventListener('submit', (event) => {
  event.preventDefault();
  const user = byId('name').value;
  byId('user').textContent = user;
  byId('user').hidden = false;
  byId('sign-in').hidden = true;
  byId('app').hidden = false;
  byId('title').textContent = DOCUMENT;
  start(user);
  area.focus({ preventScroll: true });
});

byId('cut').addEventListener('click', () => {
  isOffline = !isOffline;
  byId('cut').classList.toggle('on', isOffline);
  byId('cut').textContent = isOffline ? 'Go online' : 'Go offline';
  if (isOffline) provider.disconnect();
  else provider.connect();
  present();
});

byId('stop').addEventListener('click', async () => {
  happened('You stop the server.');
  try {
    const response = await fetch('/demo/stop', { method: 'POST' });
    if (!response.ok) happened(`The server does not let you: HTTP ${response.status}`);
  } catch {
    happened('There is no server to stop.');
  }
});

byId('name').focus();
