/**
 * Lets another program use the client: `node dist/src/driver.js <url>` takes commands as JSON lines on
 * stdin and prints what an application sees as JSON lines on stdout. `websocket-skill test --role client`
 * holds the client to its promises with it.
 *
 * Commands: `{"command":"join","name":"lobby"}`, `leave`, `{"command":"publish","name":"lobby","data":"hi",
 * "key":"k1"}`, `{"command":"token","token":"…"}` (the answer to the event `token`) and `close`. The
 * environment variable CLIENT_OPTIONS holds options as JSON.
 */
import { createInterface } from 'node:readline';
import process from 'node:process';
import { WebSocket } from 'ws';
// #if chat
import { ChatClient } from './chat.ts';
import type { Room } from './chat.ts';
// #endif
// #if pubsub
import { PubsubClient } from './pubsub.ts';
// #endif
// #if live
import { LiveUpdatesClient } from './live-updates.ts';
// #endif
import type { ClientEvents, ClientOptions } from './client.ts';
import type { Emitter } from './emitter.ts';
// #if chat || pubsub
import { ClientError } from './messages.ts';
// #endif
import type { StreamEvents } from './stream.ts';

interface Command {
  readonly command: 'join' | 'leave' | 'publish' | 'token' | 'close';
  readonly name?: string;
  readonly data?: unknown;
  readonly key?: string;
  readonly token?: string;
}

// #if auth
const tokens: string[] = [];
let wanted: ((token: string) => void) | undefined;

function getToken(): Promise<string> {
  print({ event: 'token' });
  return new Promise((resolve) => {
    const token = tokens.shift();
    if (token !== undefined) resolve(token);
    else wanted = resolve;
  });
}

// #endif
const [, , url = '', type] = process.argv;
const options: ClientOptions = {
  url,
  WebSocket: WebSocket,
  // #if auth
  getToken,
  // #endif
  ...(JSON.parse(process.env['CLIENT_OPTIONS'] ?? '{}') as object),
};

function print(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** A client as the commands see it. */
interface Driven {
  readonly client: Emitter<ClientEvents> & { connect(): Promise<void>; close(): void };
  readonly join: (name: string) => Emitter<StreamEvents> & { leave(): void };
  // #if chat || pubsub
  readonly publish?: (name: string, data: never) => Promise<object>;
  // #endif
}

const DRIVEN: Readonly<Record<string, () => Driven>> = {
  // #if chat
  chat: () => {
    const client = new ChatClient(options);
    const joined = new Map<string, Room>();
    return {
      client,
      join: (name) => {
        const room = client.join(name);
        joined.set(name, room);
        room.on('message', ({ offset, id, text }) =>
          print({ event: 'message', name, offset, id, data: text }),
        );
        return room;
      },
      publish: (name, data) => (joined.get(name) ?? client.join(name)).send(data),
    };
  },
  // #endif
  // #if pubsub
  pubsub: () => {
    const client = new PubsubClient(options);
    return {
      client,
      join: (name) => {
        const subscription = client.subscribe(name);
        subscription.on('event', ({ topic, offset, id, data }) =>
          print({ event: 'message', name, topic, offset, id, data }),
        );
        return subscription;
      },
      publish: (name, data) => client.publish(name, data),
    };
  },
  // #endif
  // #if live
  'live-updates': () => {
    const client = new LiveUpdatesClient(options);
    return {
      client,
      join: (name) => {
        const document = client.watch(name);
        document.on('change', ({ offset, data }) =>
          print({ event: 'message', name, offset, data }),
        );
        document.on('removed', () => print({ event: 'removed', name }));
        return document;
      },
    };
  },
  // #endif
};

// A generated client is of one type; the template itself is told which.
const make = DRIVEN[type ?? ''] ?? Object.values(DRIVEN)[0];
if (url === '' || make === undefined) {
  process.stderr.write('usage: driver.js <url>\n');
  process.exit(2);
}
const driven = make();
const left = new Map<string, () => void>();
driven.client.on('state', ({ name: state, ...more }) => print({ event: 'state', state, ...more }));
driven.client.on('error', ({ code, message }) => print({ event: 'error', code, message }));

const commands: Readonly<Record<string, (command: Command) => void>> = {
  join: ({ name = '' }) => {
    const stream = driven.join(name);
    stream.on('joined', () => print({ event: 'joined', name }));
    stream.on('recovered', (recovered) => print({ event: 'recovered', name, ...recovered }));
    stream.on('error', ({ code, message }) => print({ event: 'refused', name, code, message }));
    left.set(name, () => stream.leave());
  },
  leave: ({ name = '' }) => left.get(name)?.(),
  // #if chat || pubsub
  publish: ({ name = '', data, key }) => {
    driven.publish?.(name, data as never).then(
      (ack) => print({ event: 'ack', key, ...ack }),
      (error: unknown) => {
        const code = error instanceof ClientError ? error.code : String(error);
        print({ event: 'rejected', key, code });
      },
    );
  },
  // #endif
  // #if auth
  token: ({ token = '' }) => {
    if (wanted === undefined) tokens.push(token);
    else wanted(token);
    wanted = undefined;
  },
  // #endif
  close: () => driven.client.close(),
};

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const command = JSON.parse(line) as Command;
  commands[command.command]?.(command);
});
lines.on('close', () => driven.client.close());
void driven.client.connect().catch(() => undefined);
