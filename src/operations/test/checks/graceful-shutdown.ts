import { CloseCode } from '../../../protocol/index.ts';
import { fail, pass, skip } from '../check.ts';
import type { Check } from '../check.ts';
import { describeClose, expectEvent } from '../expect.ts';

/** 7.4.1: 1001 for "a server going down"; only of a project, because only that is ours to stop. */
export const gracefulShutdown: Check = {
  id: 'graceful-shutdown',
  rfc: '6455#7.4.1',
  title: 'shutdown closes with 1001',
  timeouts: 2,
  async run({ session, dial, leftMs }) {
    const { project } = session;
    if (project === undefined) return skip('only a --project is stopped');
    await using channel = await dial();
    const stopped = project.stop(session.timeoutMs);
    const close = await expectEvent(channel, {
      type: 'close',
      what: 'a close with 1001 upon SIGTERM',
      timeoutMs: leftMs(),
    });
    await channel.close(CloseCode.normal, leftMs());
    const exitCode = await stopped;
    if (close.code !== CloseCode.goingAway) return fail(`${describeClose(close)}, expected 1001`);
    return exitCode === 0
      ? pass('closed with 1001 upon SIGTERM, exit code 0')
      : fail(`closed with 1001 upon SIGTERM, but ended with exit code ${exitCode}, expected 0`);
  },
};
