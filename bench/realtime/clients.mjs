// Clients of a few lines, so that one process can be a thousand members of a room. The same for every
// server: masked text frames out, the text of every frame in.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { signToken } from '../../dist/src/contract/token.js';
import { encodeFrame } from '../../dist/src/protocol/index.js';

/** Of this run only; tokens and server have it. */
export const SECRET = randomBytes(32).toString('hex');

/** A JWT (RFC 7519) of `sub`, good for an hour. */
export function tokenOf(sub) {
  const iat = Math.floor(Date.now() / 1000);
  return signToken({ sub, iat, exp: iat + 3600 }, SECRET);
}

const NO_MASK = Buffer.alloc(4);

/** A text frame of a client; its mask is zero. */
export function frame(text) {
  return encodeFrame({ opcode: 1, payload: Buffer.from(text), maskingKey: NO_MASK });
}

/**
 * Opens a connection. `onFrame(payload, isDeflated, client)` gets each data frame, as it came: nothing is
 * inflated. Pings are answered. Resolves when the handshake is done.
 */
export function open(
  port,
  { path = '/', token, protocol, compression = false, onFrame = () => {} },
) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const headers = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ...(protocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...(compression
      ? ['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits']
      : []),
  ];
  socket.write(`${headers.join('\r\n')}\r\n\r\n`);
  const client = {
    onFrame,
    send: (bytes) => socket.write(bytes),
    pause: () => socket.pause(),
    end: () => socket.destroy(),
  };
  let rest;
  let isOpen = false;
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed before the handshake was done')));
    socket.on('data', (chunk) => {
      let bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk]);
      rest = undefined;
      if (!isOpen) {
        const end = bytes.indexOf('\r\n\r\n');
        if (end >= 0 && !bytes.toString('latin1', 0, 12).endsWith('101')) {
          reject(new Error(bytes.toString('latin1')));
          return;
        }
        if (end < 0) {
          rest = bytes;
          return;
        }
        isOpen = true;
        bytes = bytes.subarray(end + 4);
        resolve(client);
      }
      let at = 0;
      while (bytes.length - at >= 2) {
        const short = bytes[at + 1];
        const head = short < 126 ? 2 : short === 126 ? 4 : 10;
        if (bytes.length - at < head) break;
        let length = short;
        if (short === 126) length = bytes.readUInt16BE(at + 2);
        if (short === 127) length = Number(bytes.readBigUInt64BE(at + 2));
        if (bytes.length - at < head + length) break;
        const payload = bytes.subarray(at + head, at + head + length);
        const opcode = bytes[at] & 15;
        if (opcode === 8) reject(new Error(`closed with ${payload.readUInt16BE(0)}`));
        if (opcode === 9) socket.write(encodeFrame({ opcode: 10, payload, maskingKey: NO_MASK }));
        if (opcode < 8) client.onFrame(payload, (bytes[at] & 64) !== 0, client);
        at += head + length;
      }
      if (at < bytes.length) rest = bytes.subarray(at);
    });
  });
}
