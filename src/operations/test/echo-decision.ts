import type { Channel } from '../../transport/index.ts';
import type { TestInput } from './schema.ts';

/** Whether the server echoes, and how that is known. */
export interface EchoDecision {
  readonly echoes: boolean;
  /** Whether it was stated; an application that was seen to echo once owes nothing. */
  readonly owed: boolean;
  readonly how: string;
}

const PROBE = '{"wsk":"echo?"}';
const PING = 'probe';

/** Wait for the answer to the probe, unless the timeout ends it before. */
const PROBE_TIMEOUT_MS = 1500;

/** Wait for the echo after the pong: a server may answer messages later than pings. */
const AFTER_PONG_MS = 300;

/**
 * Sends one text message and a ping, and looks at what comes back.
 *
 * The input and the project's manifest take precedence.
 */
export async function decideEcho(
  channel: Channel,
  input: Pick<TestInput, 'echo' | 'timeoutMs'>,
  contract: { readonly echo: boolean } | undefined,
): Promise<EchoDecision> {
  if (input.echo !== undefined) {
    const { echo } = input;
    return { echoes: echo, owed: echo, how: `set by --${echo ? '' : 'no-'}echo` };
  }
  if (contract !== undefined) {
    return { echoes: contract.echo, owed: contract.echo, how: 'known from the project' };
  }
  const echoes = await echoesProbe(channel, Math.min(input.timeoutMs, PROBE_TIMEOUT_MS));
  const how = echoes ? 'the first message came back' : 'the first message did not come back';
  return { echoes, owed: false, how };
}

async function echoesProbe(channel: Channel, timeoutMs: number): Promise<boolean> {
  void channel.sendText(PROBE);
  void channel.sendPing(Buffer.from(PING));
  let deadline = performance.now() + timeoutMs;
  for (;;) {
    const event = await channel.next(Math.max(0, deadline - performance.now()));
    if (event === undefined || event.type === 'close' || event.type === 'violation') return false;
    if (event.type === 'message' && event.data.toString() === PROBE) return true;
    if (event.type === 'pong' && event.data.toString() === PING) {
      deadline = Math.min(deadline, performance.now() + AFTER_PONG_MS);
    }
  }
}
