import { randomFillSync } from 'node:crypto';
import { Connection, encodeFrame } from '../dist/src/protocol/index.js';
import { Receiver } from 'ws';

/** What a socket hands over at most in one piece. */
const CHUNK_BYTES = 64 * 1024;
const LIMIT_BYTES = 100 * 1024 * 1024;

/**
 * Parse, unmask, check and deliver, as a server: bytes of masked frames to 'message' events.
 *
 * Both sides get the same bytes in the same pieces, check UTF-8, keep to the same message limit and
 * copy nothing for the consumer, who looks at the length of each message. Ours is the whole
 * `Connection` with its event queue; theirs is the `Receiver` of ws, which ws gives its bytes by the
 * same `write`, with synchronous events as by default.
 */
export function receiveBenchmark({ name, opcode, payload, messages }) {
  const stream = Buffer.concat(
    Array.from({ length: messages }, () =>
      encodeFrame({ opcode, payload, maskingKey: randomFillSync(Buffer.alloc(4)) }),
    ),
  );
  // A copy for every run, because both sides unmask in place.
  const prepare = () => {
    const chunks = [];
    for (let at = 0; at < stream.length; at += CHUNK_BYTES) {
      chunks.push(Buffer.from(stream.subarray(at, at + CHUNK_BYTES)));
    }
    return chunks;
  };
  return {
    name,
    messages,
    bytes: messages * payload.length,
    ours: { prepare, run: receiveWithConnection },
    theirs: { prepare, run: receiveWithReceiver },
  };
}

function receiveWithConnection(chunks) {
  const connection = new Connection({ role: 'server', limits: { messageBytes: LIMIT_BYTES } });
  let delivered = 0;
  for (const chunk of chunks) {
    connection.receive(chunk);
    for (const event of connection.events()) {
      if (event.type === 'message') delivered += event.data.length;
    }
  }
  return delivered;
}

function receiveWithReceiver(chunks) {
  const receiver = new Receiver({ isServer: true, maxPayload: LIMIT_BYTES });
  let delivered = 0;
  receiver.on('message', (data) => {
    delivered += data.length;
  });
  for (const chunk of chunks) receiver.write(chunk);
  return delivered;
}
