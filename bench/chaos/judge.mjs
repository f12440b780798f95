// Whether clients saw what they were promised: from what each of them saw, without clocks or I/O.

/** A publish that fails with one of these was never sent, so that nobody may see it. */
const NEVER_SENT = ['expired', 'dropped', 'queue_full', 'aborted', 'closed', 'too_big'];
/** Those with which a publish may fail during a fault. */
const ALLOWED = [...NEVER_SENT, 'unknown_outcome', 'timeout'];

/**
 * Judges a run. What a stream (a client in a room) saw is a list of events, in order:
 *
 * - `['message', at, epoch, offset, id]`, at a position of its room
 * - `['recovered', at, yes]`: after a lost connection, whether everything in between comes
 * - `['joined', at, epoch, offset]`: the reply, after the messages that it brought along
 * - `['sent', at, id]`, `['ack', at, id, offset]`, `['refused', at, id, code]`
 *
 * @param {object} log
 * @param {{ client: string, room: string, events: readonly unknown[][] }[]} log.streams
 * @param {{ name: string, states: readonly [at: number, state: string][] }[]} log.clients
 * @param {Record<string, readonly (readonly string[])[]>} log.shared per room the epochs that were in Redis;
 * those of one list follow each other without a loss of data, and have the same offsets
 * @param {Record<string, { epoch: string, offset: number }>} log.final where each room is at the end
 * @param {number} log.historyMessages that the servers keep of a room
 * @param {readonly { at: number, text: string }[]} log.problems of servers and clients themselves
 */
export function judge({ streams, clients, shared, final, historyMessages, problems }) {
  const violations = problems.map(({ at, text }) => ({ kind: 'trouble', at, text }));
  const sequences = new Sequences(shared);
  for (const stream of streams) {
    const note = (kind, at, text) => {
      violations.push({ kind, at, client: stream.client, room: stream.room, text });
    };
    for (const event of stream.events) {
      if (event[0] === 'message') sequences.add(stream.room, event, note);
    }
  }
  const acknowledged = { all: 0, lost: 0 };
  for (const stream of streams) {
    const note = (kind, at, text) => {
      violations.push({ kind, at, client: stream.client, room: stream.room, text });
    };
    readStream(stream, { sequences, historyMessages, end: final[stream.room], note });
    judgePublications(stream, { sequences, acknowledged, note });
  }
  const sent = streams.flatMap(({ events }) => events.filter(([type]) => type === 'sent'));
  if (sent.length > 0 && acknowledged.all === 0) {
    violations.push({ kind: 'trouble', at: sent[0][1], text: 'no message was acknowledged' });
  }
  for (const { name, states } of clients) {
    const [at, state] = states.at(-1) ?? [0, 'never connected'];
    if (state !== 'open') {
      violations.push({ kind: 'away', at, client: name, text: `${state} at the end` });
    }
  }
  violations.sort((a, b) => a.at - b.at);
  return { verdict: violations.length === 0 ? 'pass' : 'fail', violations, acknowledged };
}

/** What is at each position, as all clients together saw it. */
class Sequences {
  #names = new Map();
  #byName = new Map();
  #byRoom = new Map();

  constructor(shared) {
    for (const [room, lists] of Object.entries(shared)) {
      lists.forEach((epochs, index) => {
        for (const epoch of epochs) this.#names.set(`${room} ${epoch}`, `${room} #${index}`);
      });
    }
  }

  /** Of an epoch that was in Redis: the epochs that hold the same; else undefined. */
  shared(room, epoch) {
    return this.#names.get(`${room} ${epoch}`);
  }

  /** What was seen at an offset of epochs that hold the same; undefined if nothing was. */
  at(shared, offset) {
    return this.#byName.get(shared)?.ids.get(offset);
  }

  add(room, [, at, epoch, offset, id], note) {
    const name = this.shared(room, epoch) ?? `${room} ${epoch}`;
    let sequence = this.#byName.get(name);
    if (sequence === undefined) {
      sequence = { ids: new Map(), offsets: new Map() };
      this.#byName.set(name, sequence);
      this.#byRoom.set(room, [...(this.#byRoom.get(room) ?? []), sequence]);
    }
    const other = sequence.ids.get(offset);
    if (other === undefined) sequence.ids.set(offset, id);
    else if (other !== id) {
      note('reordered', at, `offset ${offset} of ${epoch} is ${id} here and ${other} elsewhere`);
    }
    const place = sequence.offsets.get(id);
    if (place === undefined) sequence.offsets.set(id, offset);
    else if (place !== offset && other === undefined) {
      note('duplicate', at, `${id} was published twice: at ${place} and ${offset} of ${epoch}`);
    }
  }

  /** Everywhere that a message was seen: its sequence and offset. */
  find(room, id) {
    return (this.#byRoom.get(room) ?? []).flatMap((sequence) => {
      const offset = sequence.offsets.get(id);
      return offset === undefined ? [] : [{ sequence, offset }];
    });
  }
}

/** From one `recovered: false` to the next, a stream has to have everything once and in order. */
function readStream({ room, events }, { sequences, historyMessages, end, note }) {
  /** `first` and `last` offset of what came since the last `recovered: false`. */
  let part;
  /** The last position in Redis. */
  let before;
  let isJoined = false;
  let lastAt = 0;
  const begin = (epoch, first) => {
    part = { epoch, first, last: first - 1, seen: new Set() };
    isJoined = false;
  };
  for (const event of events) {
    const [type, at] = event;
    lastAt = at;
    if (type === 'recovered' && !event[2]) {
      const name = part && sequences.shared(room, part.epoch);
      if (name !== undefined) before = { name, last: part.last };
      part = undefined;
    }
    if (type !== 'message' && type !== 'joined') continue;
    const [, , epoch, offset, id] = event;
    if (part !== undefined && part.epoch !== epoch) {
      note('unsaid', at, `epoch ${epoch} after ${part.epoch} without recovered: false`);
      begin(epoch, type === 'message' ? offset : offset + 1);
    }
    if (part === undefined) begin(epoch, type === 'message' ? offset : offset + 1);
    if (type === 'joined') {
      if (offset > part.last) lost(part, offset);
      if (!isJoined) compare(offset);
      isJoined = true;
      continue;
    }
    if (part.seen.has(id)) note('duplicate', at, `${id} again, at ${offset} of ${epoch}`);
    else if (offset <= part.last) {
      note('reordered', at, `${id} at ${offset} of ${epoch} after ${part.last}`);
    } else if (offset > part.last + 1) lost(part, offset - 1);
    part.seen.add(id);
    part.last = Math.max(part.last, offset);

    function lost({ last }, to) {
      note('lost', at, `${last + 1} to ${to} of ${epoch} without recovered: false`);
      part.last = to;
    }
    /** With its data, Redis can tell all that a client missed, up to what it keeps. */
    function compare(position) {
      const { first } = part;
      if (before === undefined || before.name !== sequences.shared(room, epoch)) return;
      const isTrimmed = position - first + 1 >= historyMessages;
      if (first > before.last + 1 && !isTrimmed) {
        note(
          'lost',
          at,
          `${before.last + 1} to ${first - 1} of ${epoch}, though Redis kept its data`,
        );
      }
    }
  }
  if (end === undefined) {
    note('trouble', lastAt, 'where the room is at the end is not known');
    return;
  }
  const { epoch, last } = part ?? { epoch: 'no epoch', last: 0 };
  if (epoch !== end.epoch || last !== end.offset) {
    const text = `at the end at ${last} of ${epoch}, the room is at ${end.offset} of ${end.epoch}`;
    note('lost', lastAt, text);
  }
}

function judgePublications({ room, events }, { sequences, acknowledged, note }) {
  const open = new Map();
  const losses = events.filter(([type, , yes]) => type === 'recovered' && !yes);
  /** The last acknowledged message in each sequence. */
  const order = new Map();
  const answers = new Map();
  for (const [index, event] of events.entries()) {
    const [type, at, id, more] = event;
    if (type === 'sent') open.set(id, at);
    if (type === 'ack') answers.set(id, { at, offset: more, index });
    if (type === 'refused') answers.set(id, { at, code: more });
  }
  for (const [id, sentAt] of open) {
    const answer = answers.get(id);
    const places = sequences.find(room, id);
    if (answer === undefined) {
      note('trouble', sentAt, `no outcome of ${id}`);
      continue;
    }
    const { at, offset, code, index } = answer;
    if (code !== undefined) {
      if (!ALLOWED.includes(code)) note('trouble', at, `${id} was refused: ${code}`);
      if (NEVER_SENT.includes(code) && places.length > 0) {
        note('trouble', at, `${id} was published, though its sender was told: ${code}`);
      }
      continue;
    }
    acknowledged.all += 1;
    if (places.length === 0) {
      const other = sequences.at(sharedAround(index), offset);
      if (other !== undefined) {
        note('lost', at, `${id} was acknowledged at ${offset}, where ${other} is`);
      }
      // Whoever was in the same epoch and went on has to have seen it; its sender was one of them.
      else if (losses.some(([, toldAt]) => toldAt >= sentAt)) acknowledged.lost += 1;
      else note('lost', at, `${id} was acknowledged, and nobody saw it`);
      continue;
    }
    if (!places.some((place) => place.offset === offset)) {
      const seen = places.map((place) => place.offset).join(', ');
      note('reordered', at, `${id} was acknowledged at ${offset}, and seen at ${seen}`);
    }
    for (const place of places) {
      const former = order.get(place.sequence);
      if (former !== undefined && former.offset > place.offset) {
        note('reordered', at, `${id} comes before ${former.id}, which its sender sent earlier`);
      }
      order.set(place.sequence, { id, offset: place.offset });
    }
  }

  /** What the stream read before and after an event: an acknowledgement has no epoch of its own. */
  function sharedAround(index) {
    const isPosition = ([type]) => type === 'message' || type === 'joined';
    const before = events.slice(0, index).findLast(isPosition);
    const after = events.slice(index).find(isPosition) ?? before;
    if (before === undefined) return undefined;
    const shared = sequences.shared(room, before[2]);
    return shared === sequences.shared(room, after[2]) ? shared : undefined;
  }
}

/**
 * The figures of each fault: of what happened from its beginning to that of the next one.
 *
 * @param {readonly { at: number }[]} faults in order of time
 * @returns {object[]} one for each fault, and before them one for the time without any
 */
export function figuresOf(log, faults, { violations }) {
  const starts = [-Infinity, ...faults.map(({ at }) => at)];
  const all = starts.map(() => ({
    reconnects: [],
    ...{ published: 0, acknowledged: 0, unknown: 0, delivered: 0 },
    ...{ recovered: 0, told: 0, duplicates: 0, losses: 0, violations: 0 },
  }));
  const during = (at) => all[starts.findLastIndex((start) => start <= at)];
  const COUNTED = { message: 'delivered', sent: 'published', ack: 'acknowledged' };
  for (const { events } of log.streams) {
    for (const [type, at, value] of events) {
      if (type === 'joined') continue;
      const recovered = value ? 'recovered' : 'told';
      during(at)[COUNTED[type] ?? (type === 'refused' ? 'unknown' : recovered)] += 1;
    }
  }
  for (const { states } of log.clients) {
    let lostAt;
    for (const [at, state] of states) {
      if (state === 'open' && lostAt !== undefined) {
        during(lostAt).reconnects.push(at - lostAt);
        lostAt = undefined;
      } else if (state === 'waiting') lostAt ??= at;
    }
  }
  const KINDS = { duplicate: 'duplicates', lost: 'losses' };
  for (const { kind, at } of violations) {
    during(at).violations += 1;
    if (kind in KINDS) during(at)[KINDS[kind]] += 1;
  }
  for (const { reconnects } of all) reconnects.sort((a, b) => a - b);
  return all;
}
