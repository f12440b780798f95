import { pass, skip } from '../check.ts';
import type { Check, CheckContext } from '../check.ts';
import { expectAlive } from '../exchange.ts';
import { expectEvent } from '../expect.ts';
import { measurePings } from '../round-trips.ts';
import type { Channel } from '../../../transport/index.ts';
import { SERIES_TIMEOUTS } from './echo.ts';

const PROBE = '{"wsk":"alive?"}';

/** A server that does not echo accepts a text message and answers pings, or sends `expect`. */
export const liveness: Check = {
  id: 'liveness',
  rfc: '6455#5.5.2',
  title: 'server stays connected and answers',
  timeouts: SERIES_TIMEOUTS,
  async run(context) {
    const { session } = context;
    const wanted = wantedAnswer(context);
    if (session.echo.echoes && wanted === undefined) {
      return skip(`the server echoes: ${session.echo.how}`);
    }
    await using channel = await context.dial();
    const seen: string[] = [];
    if (wanted !== undefined) seen.push(await expectAnswer(context, channel, wanted));
    if (session.echo.echoes) return pass(seen.join(', '));
    if (wanted === undefined) {
      void channel.sendText(session.input.send ?? PROBE);
      seen.push(await expectAlive(context, channel));
    }
    if (session.answersPings && channel.connection.state === 'open') {
      seen.push(await measurePings(context, channel, session.input.messages));
    }
    return pass(`${seen.join(', ')} (no echo: ${session.echo.how})`);
  },
};

interface WantedAnswer {
  readonly send: string | undefined;
  readonly expect: string;
}

/** What `--expect` asks for, or else what its contract promises. */
function wantedAnswer({ session }: CheckContext): WantedAnswer | undefined {
  const { send, expect } = session.input;
  if (expect !== undefined) return { send, expect };
  if (send !== undefined) return undefined;
  return session.probe;
}

async function expectAnswer(
  context: CheckContext,
  channel: Channel,
  wanted: WantedAnswer,
): Promise<string> {
  if (wanted.send !== undefined) void channel.sendText(wanted.send);
  const what = `a message that contains ${JSON.stringify(wanted.expect)}`;
  await expectEvent(channel, {
    type: 'message',
    what,
    timeoutMs: Math.min(context.session.timeoutMs, context.leftMs()),
    match: (event) => event.data.includes(wanted.expect),
  });
  return `it sent ${what}`;
}
