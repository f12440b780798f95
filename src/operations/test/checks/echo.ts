import { fail, pass, skip, warn } from '../check.ts';
import type { Check } from '../check.ts';
import { NOT_OWED, expectAlive } from '../exchange.ts';
import { measureEchoes } from '../round-trips.ts';

/** Timeouts that a series of round trips may last in total. */
export const SERIES_TIMEOUTS = 12;

/** All messages come back once and unchanged; the latency is measured with them. */
export const echo: Check = {
  id: 'echo',
  rfc: '6455#5.6',
  title: 'echo of every message',
  timeouts: SERIES_TIMEOUTS,
  async run(context) {
    const { session } = context;
    if (!session.echo.echoes) return skip(`the server does not echo: ${session.echo.how}`);
    await using channel = await context.dial({ compression: session.input.compression });
    const series = await measureEchoes(context, channel, session.input.messages);
    const counts = `${series.received} of ${session.input.messages} came back`;
    if (series.problem === undefined) return pass(`${counts} (${session.echo.how})`);
    // A breach that has nothing to do with the messages is worded as in every other row.
    if (series.breach && series.received === 0) return fail(series.problem);
    const seen = `${counts}: ${series.problem}`;
    if (session.echo.owed || series.breach) return fail(seen);
    if (channel.connection.state === 'open') await expectAlive(context, channel);
    return warn(`${seen} ${NOT_OWED}`);
  },
};
