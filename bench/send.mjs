import { randomFillSync } from 'node:crypto';
import { Connection } from '../dist/src/protocol/index.js';
import { Sender } from 'ws';

/**
 * Frame and mask, as a client: messages to the writes of a socket that throws them away.
 *
 * Both sides check nothing but sizes, take random masking keys from a pool of the same size, leave
 * the caller's data alone and write out after every message.
 */
export function sendBenchmark({ name, data, messages }) {
  const prepare = () => new NullSocket();
  const binary = typeof data !== 'string';
  return {
    name,
    messages,
    bytes: messages * frameBytes(Buffer.byteLength(data)),
    ours: {
      prepare,
      run: (socket) => {
        const connection = new Connection({ role: 'client', maskSource: pooledKeys() });
        for (let i = 0; i < messages; i++) {
          if (binary) connection.sendBinary(data);
          else connection.sendText(data);
          for (const bytes of connection.output()) socket.write(bytes);
        }
        return socket.written;
      },
    },
    theirs: {
      prepare,
      run: (socket) => {
        const sender = new Sender(socket);
        const options = { binary, mask: true, fin: true, compress: false };
        for (let i = 0; i < messages; i++) sender.send(data, options);
        return socket.written;
      },
    },
  };
}

class NullSocket {
  written = 0;
  cork() {}
  uncork() {}
  write(bytes) {
    this.written += bytes.length;
  }
}

/** Four random bytes a call from 8 KiB drawn at once, as ws does it. */
function pooledKeys() {
  const pool = new Uint8Array(8192);
  const key = new Uint8Array(4);
  let at = pool.length;
  return () => {
    if (at === pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    key[0] = pool[at++];
    key[1] = pool[at++];
    key[2] = pool[at++];
    key[3] = pool[at++];
    return key;
  };
}

/** A masked frame's size on the wire. */
function frameBytes(length) {
  return length + (length < 126 ? 6 : length < 65536 ? 8 : 14);
}
