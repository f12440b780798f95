import type { Channel } from '../../transport/index.ts';
import type { TestInput } from './schema.ts';

/** Whether the server is held to echo, and how that was found out. */
export interface EchoDecision {
  readonly echoes: boolean;
  readonly how: string;
  /** Whether it sends messages nobody asked for, so that an answer may be another one. */
  readonly chatty: boolean;
}

const PROBE = '{"wsk":"echo?"}';

/** How long an answer to the probe may take, if the check's time-out does not end it before. */
const PROBE_TIMEOUT_MS = 1500;

/** How long after the pong an echo may still come: a server may answer messages later than pings. */
const AFTER_PONG_MS = 300;

/**
 * Sends one text message and a ping, and looks at what comes back.
 *
 * The input and the project's manifest have the last word; the probe then only tells whether the
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
