import { createElement } from 'react';
import type { Root } from 'react-dom/client';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatClient } from '../../templates/typescript/client/src/chat.ts';
import type { SocketConstructor } from '../../templates/typescript/client/src/connection.ts';
import { useConnection, useRoom } from '../../templates/typescript/client/src/react.ts';

/** A WebSocket whose server the test is. */
class FakeSocket {
  static last: FakeSocket;
  readonly readyState = 1;
  readonly bufferedAmount = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  constructor() {
    FakeSocket.last = this;
  }
  send(text: string): void {
    const { type, id, room } = JSON.parse(text) as Record<string, unknown>;
    const joined = { type: 'joined', id, room, messages: [], members: ['ada'] };
    if (type === 'join') queueMicrotask(() => this.say(joined));
  }
  close(): void {
    this.onmessage = null;
  }
  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

/** What React asks of a page in which no component draws anything. */
const ELEMENT = {
  ...{ nodeType: 1, nodeName: 'DIV', tagName: 'DIV', namespaceURI: '' },
  addEventListener: () => undefined,
};

describe('the hooks of a client', () => {
  let client: ChatClient;
  let root: Root;
  let act: (work: () => unknown) => Promise<void>;

  beforeEach(async () => {
    vi.stubGlobal('window', globalThis);
    vi.stubGlobal('HTMLIFrameElement', Map);
    vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);
    const { createRoot } = await import('react-dom/client');
    const react = (await import('react')) as unknown as { act: typeof act };
    act = (work) => react.act(() => Promise.resolve(work()).then(() => undefined));
    const ownerDocument = { ...ELEMENT, nodeType: 9, activeElement: null };
    const page: unknown = { ...ELEMENT, ownerDocument };
    root = createRoot(page as HTMLElement);
    const WebSocket = FakeSocket as unknown as SocketConstructor;
    client = new ChatClient({ url: 'ws://localhost/', WebSocket });
  });
  afterEach(async () => {
    await act(() => root.unmount());
    client.close();
    vi.unstubAllGlobals();
  });

  /** Renders what `hooks` say, and gives the newest of it. */
  async function render<Value>(...hooks: (() => Value)[]): Promise<() => Value[]> {
    const values: Value[] = [];
    const components = hooks.map((use, key) =>
      createElement(
        () => {
          values[key] = use();
          return null;
        },
        { key },
      ),
    );
    await act(() => root.render(components));
    return () => values;
  }

  /** Unmounts all components, for good: their stores have ended. */
  async function clear(): Promise<void> {
    await act(() => root.render([]));
    await new Promise((resolve) => setTimeout(resolve));
  }

  async function open(): Promise<void> {
    await act(async () => {
      client.connect().catch(() => undefined);
      await vi.waitFor(() => expect(FakeSocket.last.onopen).not.toBeNull());
      FakeSocket.last.onopen?.();
      FakeSocket.last.say({ type: 'welcome', features: ['rooms'] });
    });
  }

  async function say(...texts: string[]): Promise<void> {
    await act(() => {
      for (const text of texts) FakeSocket.last.say({ type: 'message', room: 'lobby', text });
    });
  }

  it('know the state of a connection that changed while nobody looked', async () => {
    const before = await render(() => useConnection(client));
    expect(before()[0]?.name).toBe('idle');
    await clear();
    await open();
    const after = await render(() => useConnection(client));
    expect(after()[0]).toBe(client.state);
    expect(after()[0]?.name).toBe('open');
    await act(() => client.close());
    expect(after()[0]).toEqual({ name: 'closed', reason: 'closed by the client', code: 1000 });
  });

  it('know what is known of a room that the program had joined before', async () => {
    client.join('lobby');
    await open();
    const views = await render(() => useRoom(client, 'lobby'));
    expect(views()[0]).toMatchObject({ isJoined: true, members: ['ada'] });
  });

  it('keep as many messages as each component wants', async () => {
    await open();
    const limits = [0, 1, 2, 500];
    const views = await render(...limits.map((limit) => () => useRoom(client, 'lobby', limit)));
    await say('a', 'b', 'c');
    const texts = views().map(({ messages }) => messages.map(({ text }) => text).join(''));
    expect(texts).toEqual(['', 'c', 'bc', 'abc']);
  });
});
