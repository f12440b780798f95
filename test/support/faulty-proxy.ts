import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';

/** What a server does wrong: a text that is undefined is not passed on. */
export interface Fault {
  readonly says?: (text: string) => string | undefined;
  readonly hears?: (text: string) => string | undefined;
  readonly closesWith?: number;
  /** What has no id is told to every client. */
  readonly broadcasts?: boolean;
  /** The end of one connection ends all. */
  readonly isFragile?: boolean;
}

export type Value = Readonly<Record<string | number, unknown>>;

/** Changes messages as values. */
export function change(edit: (value: Value) => unknown): (text: string) => string | undefined {
  return (text) => {
    let value: Value | null;
    try {
      value = JSON.parse(text) as Value | null;
    } catch {
      return text;
    }
    const changed = edit(value ?? {});
    return changed === undefined ? undefined : JSON.stringify(changed);
  };
}

/** Leaves out messages that match. */
export const without = (matches: (value: Value) => boolean): ReturnType<typeof change> =>
  change((value) => (matches(value) ? undefined : value));

/** Stands before a server, and does something wrong. */
export async function faulty(url: string, fault: Fault): Promise<WebSocketServer> {
  const { says, hears, closesWith, broadcasts = false, isFragile = false } = fault;
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: ([first]) => first ?? false,
  });
  server.on('connection', (socket, request) => {
    const { authorization = '' } = request.headers;
    const behind = new WebSocket(url, socket.protocol === '' ? [] : [socket.protocol], {
      headers: { authorization },
    });
    const opened = once(behind, 'open');
    opened.catch(() => undefined);
    const pass = (to: WebSocket, edit: Fault['says']) => (data: Buffer) => {
      const text = edit === undefined ? data.toString() : edit(data.toString());
      if (text === undefined) return;
      const isForAll = broadcasts && to === socket && !('id' in (JSON.parse(text) as object));
      for (const client of isForAll ? server.clients : [to]) client.send(text);
    };
    socket.on('message', (data: Buffer) => void opened.then(() => pass(behind, hears)(data)));
    behind.on('message', pass(socket, says));
    behind.on('close', (code) => {
      if (isFragile) for (const client of server.clients) client.terminate();
      socket.close(closesWith ?? (code === 1006 ? 1011 : code));
    });
    behind.on('error', () => undefined);
    socket.on('close', () => behind.terminate());
  });
  await once(server, 'listening');
  return server;
}
