import { Connection, encodeFrame } from '../../src/protocol/index.ts';
import type { ConnectionEvent, ConnectionOptions, FrameInit } from '../../src/protocol/index.ts';

/** The masking key of the examples in RFC 6455 section 5.7. */
export const MASKING_KEY = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/** Reads bytes written in hex, spaces allowed. */
export function hex(text: string): Buffer {
  const digits = text.replaceAll(' ', '');
  const bytes = Buffer.from(digits, 'hex');
  if (bytes.length * 2 !== digits.length) throw new Error(`${text} is not hex`);
  return bytes;
}

/** A frame as a client sends it. */
export function masked(init: FrameInit): Buffer {
  return encodeFrame({ ...init, maskingKey: MASKING_KEY });
}

/** A connection of a server, which receives masked frames. */
export function server(options: Omit<ConnectionOptions, 'role'> = {}): Connection {
  return new Connection({ role: 'server', ...options });
}

/** A connection of a client with a fixed masking key. */
export function client(options: Omit<ConnectionOptions, 'role'> = {}): Connection {
  return new Connection({ role: 'client', maskSource: () => MASKING_KEY, ...options });
}

/** Gives copies of `chunks` to a connection and returns what it reports. */
export function receive(connection: Connection, ...chunks: Uint8Array[]): ConnectionEvent[] {
  for (const chunk of chunks) connection.receive(Buffer.from(chunk));
  return connection.events();
}

/** Everything a connection wants to write, in hex. */
export function written(connection: Connection): string {
  return Buffer.concat(connection.output()).toString('hex');
}

/** The texts and sizes of messages, and the types of other events: short enough to compare by eye. */
export function summary(events: readonly ConnectionEvent[]): string[] {
  return events.map((event) => {
    switch (event.type) {
      case 'message':
        return event.opcode === 1
          ? `text ${event.data.toString()}`
          : `binary ${event.data.toString('hex')}`;
      case 'ping':
      case 'pong':
        return `${event.type} ${event.data.toString()}`.trimEnd();
      case 'violation':
        return event.violation.code;
      case 'close':
        return `close ${event.code} ${event.wasClean ? 'clean' : 'unclean'}`;
    }
  });
}
