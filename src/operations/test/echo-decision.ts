import type { Channel } from '../../transport/index.ts';
import type { TestInput } from './schema.ts';

/** Whether the server has to echo, and how that is known. */
export interface EchoDecision {
  readonly echoes: boolean;
  readonly how: string;
  /** Whether it sends unsolicited messages, which may arrive before an answer. */
  readonly chatty: boolean;
}

const PROBE = '{"wsk":"echo?"}';

/** Wait for the answer to the probe, unless the timeout ends it before. */
const PROBE_TIMEOUT_MS = 1500;

/** Wait for the echo after the pong: a server may answer messages later than pings. */
const AFTER_PONG_MS = 300;

/**
 * Sends one text message and a ping, and looks at what comes back.
 *
 * The input and the project's manifest take precedence; the probe then only finds out whether the
 * server is chatty.
 */
export async function decideEcho(
  channel: Channel,
  input: Pick<TestInput, 'echo' | 'timeoutMs'>,
  contract: { readonly echo: boolean } | undefined,
): Promise<EchoDecision> {
  const probe = await runProbe(channel, Math.min(input.timeoutMs, PROBE_TIMEOUT_MS));
  const { chatty } = probe;
  if (input.echo !== undefined) {
    return { echoes: input.echo, how: `set by --${input.echo ? '' : 'no-'}echo`, chatty };
  }
  if (contract !== undefined) {
    return { echoes: contract.echo, how: 'known from the project', chatty };
  }
  return {
    echoes: probe.echoed,
    how: probe.echoed ? 'the first message came back' : 'the first message did not come back',
    chatty,
  };
}

async function runProbe(
  channel: Channel,
  timeoutMs: number,
): Promise<{ echoed: boolean; chatty: boolean }> {
  void channel.sendText(PROBE);
  void channel.sendPing(Buffer.from('probe'));
  let deadline = performance.now() + timeoutMs;
  let [echoed, ponged, chatty] = [false, false, false];
  while (!(echoed && ponged)) {
    const event = await channel.next(Math.max(0, deadline - performance.now()));
    if (event === undefined || event.type === 'close' || event.type === 'violation') break;
    if (event.type === 'pong') {
      ponged = true;
      deadline = Math.min(deadline, performance.now() + AFTER_PONG_MS);
    }
    if (event.type !== 'message') continue;
    if (event.data.toString() === PROBE) {
      echoed = true;
      deadline = Math.min(deadline, performance.now() + AFTER_PONG_MS);
    } else chatty = true;
  }
  return { echoed, chatty };
}
