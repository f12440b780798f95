import { requireSame, requireThat } from '../../client.ts';
import type { ConnectOptions, Lab } from '../../lab.ts';
import {
  ABLE,
  connect,
  facts,
  legacy,
  needs,
  nextId,
  resultIn,
  slowTool,
  toolFor,
} from '../../mcp-peer.ts';
import type { McpPeer } from '../../mcp-peer.ts';
import { rowsOf } from '../../row.ts';
import { isObject, same, show } from '../../shape.ts';
import type { Message } from '../../shape.ts';
import { RowSkip } from '../../terms.ts';

export const TYPES = ['mcp'] as const;

export const closing = rowsOf('MCP: Closing', TYPES, { reference: '6455#5.5' });

/** For what must not come; for what has to come rows wait as long as it takes. */
export const QUIET_MS = 500;

interface Progress {
  readonly id: number;
  readonly ms: number;
  readonly steps: readonly Message[];
}

export function progressOf(peer: McpPeer, token: unknown): readonly Message[] {
  return peer
    .toldOf('notifications/progress')
    .map(({ params }) => (isObject(params) ? params : {}))
    .filter(({ progressToken }) => same(progressToken, token));
}

/** Runs the slow tool to its end. */
export async function runSlow(lab: Lab, peer: McpPeer, token: unknown): Promise<Progress> {
  const call = await slowTool(lab);
  const id = nextId();
  const startedAt = performance.now();
  await peer.result('tools/call', { ...call, _meta: { progressToken: token } }, id);
  return { id, ms: performance.now() - startedAt, steps: progressOf(peer, token) };
}

/** How long the slow tool takes; it has to report progress. */
export async function slowMs(lab: Lab): Promise<number> {
  const { ms, steps } = await lab.once('mcp-slow', async () =>
    runSlow(lab, await connect(lab), 'wsk-slow'),
  );
  if (steps.length > 0) return ms;
  throw new RowSkip('the slow tool reports no progress: --slow-tool gives one that does');
}

/** Starts the slow tool, and waits until it runs. */
export async function begin(
  lab: Lab,
  peer: McpPeer,
  { token = `wsk-${nextId()}` as unknown, id = nextId() } = {},
): Promise<number> {
  await slowMs(lab);
  const call = await slowTool(lab);
  peer.send(peer.request('tools/call', { ...call, _meta: { progressToken: token } }, id));
  await peer.take('a notification of progress', (seen) => {
    const params = isObject(seen) && seen['method'] === 'notifications/progress' && seen['params'];
    return isObject(params) && same(params['progressToken'], token);
  });
  return id;
}

/** The texts in what a tool said. */
export function textIn(result: Message): string {
  const { content } = result;
  requireThat(Array.isArray(content), `got ${show(result)}, expected a list "content"`);
  return content.map((block: unknown) => (isObject(block) ? String(block['text']) : '')).join('\n');
}

/** Sets the level from which on log messages come, where there is one. */
export async function hearAll(peer: McpPeer): Promise<void> {
  if (!('logging' in peer.capabilities)) return;
  await peer.result('logging/setLevel', { level: 'debug' });
}

export function requireTexts(all: readonly Message[], ...keys: readonly string[]): void {
  for (const one of all) {
    for (const key of keys) {
      requireThat(typeof one[key] === 'string', `${show(one)} has no text "${key}"`);
    }
  }
}

export async function firstResource(lab: Lab): Promise<string> {
  await needs(lab, 'resources');
  const [first] = (await facts(lab)).resources;
  if (first === undefined) throw new RowSkip('the server lists no resource');
  return String(first['uri']);
}

/** A session that the server offers, initialized. */
export async function withSession(lab: Lab): Promise<McpPeer & { readonly session: string }> {
  const peer = await legacy(lab);
  if (peer.session === undefined) throw new RowSkip('the server offers no Mcp-Session-Id');
  return peer as McpPeer & { readonly session: string };
}

/** How to come back to the session of a connection that was lost. */
export function back({
  session: id,
  received,
}: {
  session: string;
  received: number;
}): ConnectOptions {
  return {
    headers: [
      ['Mcp-Session-Id', id],
      ['Mcp-Received', String(received)],
    ],
  };
}

/** Both clients get answers of their own, whatever the other does. */
export async function two(
  lab: Lab,
  capabilities: Message = {},
): Promise<readonly [McpPeer, McpPeer]> {
  return [await connect(lab, capabilities), await connect(lab, capabilities)];
}

/** Two calls of a tool during which the server asks its client: each is asked for its own. */
export async function asked(
  lab: Lab,
  use: 'sampling' | 'elicitation',
  method: string,
  answer: (text: string) => Message,
): Promise<void> {
  const call = await toolFor(lab, use);
  const [one, other] = [await legacy(lab, ABLE), await legacy(lab, ABLE)];
  for (const [peer, bystander] of [
    [one, other],
    [other, one],
  ] as const) {
    const text = lab.name('answer');
    const id = nextId();
    peer.send(peer.request('tools/call', call, id));
    const request = await peer.heard(method);
    requireThat(request['id'] != null, `got ${show(request)}: it has no id`);
    peer.reply(request, answer(text));
    const said = resultIn(await peer.answerTo(id), call.name);
    requireThat(JSON.stringify(said).includes(text), `got ${show(said)}, without ${show(text)}`);
    await bystander.lives();
    requireSame(bystander.toldOf(method), [], `requests ${show(method)} at another client`);
  }
}
