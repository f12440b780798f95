// Round trips by the packets: from the packet with the end of a message to that with the end of its
// reply. Knows of our generator only what its payloads begin with: eight bytes that differ for each
// message of a run (three for the connection, five for its sequence number).

const SLOT_BYTES = 8;

/**
 * @param {string} text a line for each packet with data: time in seconds, stream, source port,
 * sequence number and payload in hex, with tabs between
 * @param {number} serverPort
 * @returns {number[]} milliseconds, in the order in which the messages were sent
 */
export function roundTrips(text, serverPort) {
  const streams = new Map();
  const pending = new Map();
  const sent = [];
  const times = [];
  for (const line of text.split('\n')) {
    const [time, stream, port, sequence, hex] = line.split('\t');
    if (!hex) continue;
    const fromServer = Number(port) === serverPort;
    const direction = `${stream}${fromServer ? '<' : '>'}`;
    if (!streams.has(direction)) streams.set(direction, new Frames());
    const ms = Number(time) * 1000;
    for (const slot of streams.get(direction).receive(Number(sequence), Buffer.from(hex, 'hex'))) {
      const id = `${stream} ${slot}`;
      if (!fromServer) {
        pending.set(id, times.push(undefined) - 1);
        sent.push(ms);
      } else if (pending.has(id)) {
        const at = pending.get(id);
        times[at] = ms - sent[at];
        pending.delete(id);
      }
    }
  }
  return times;
}

/** One direction of a connection: bytes to the slots of the messages that are complete. */
class Frames {
  #rest = Buffer.alloc(0);
  #next;
  #open = false;

  receive(sequence, bytes) {
    const at = this.#next === undefined ? 0 : this.#next - sequence;
    if (at < 0) throw new Error('a packet is missing from the capture');
    if (at >= bytes.length) return [];
    this.#next = sequence + bytes.length;
    this.#rest = Buffer.concat([this.#rest, bytes.subarray(at)]);
    const slots = [];
    if (!this.#open) {
      const head = this.#rest.indexOf('\r\n\r\n');
      if (head < 0) return slots;
      this.#open = true;
      this.#rest = this.#rest.subarray(head + 4);
    }
    for (;;) {
      const frame = takeFrame(this.#rest);
      if (frame === undefined) return slots;
      this.#rest = this.#rest.subarray(frame.size);
      if (frame.slot !== undefined) slots.push(frame.slot);
    }
  }
}

/** RFC 6455 section 5.2. */
function takeFrame(bytes) {
  if (bytes.length < 2) return undefined;
  let length = bytes[1] & 127;
  let head = 2;
  if (length >= 126) {
    head = length === 126 ? 4 : 10;
    if (bytes.length < head) return undefined;
    length = head === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  }
  const masked = bytes[1] >= 128;
  const from = head + (masked ? 4 : 0);
  if (bytes.length < from + length) return undefined;
  const isMessage = (bytes[0] & 15) < 3 && length >= SLOT_BYTES;
  const slot = Buffer.from(bytes.subarray(from, from + SLOT_BYTES));
  if (masked) for (let i = 0; i < slot.length; i++) slot[i] ^= bytes[head + (i % 4)];
  return { size: from + length, slot: isMessage ? slot.toString('latin1') : undefined };
}
