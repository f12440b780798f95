import { requireSame, requireThat } from '../client.ts';
import { requireRetryAfter } from '../lab.ts';
import { ALL, rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import { COUNT, show } from '../shape.ts';

const start = rowsOf('Authentication (feature `auth`)', ALL, { needs: ['project'] });
const stop = rowsOf('Close codes', ALL, {
  needs: ['project'],
  environment: 'draining',
  stops: true,
});

/** What a server says that does not start. */
function refusesStart(
  id: string,
  title: string,
  settings: Readonly<Record<string, string>>,
  words: RegExp,
  rest: Parameters<typeof start>[3] = {},
): Row {
  return start(
    `common.start.${id}`,
    title,
    async (lab) => {
      const said = await lab.refusesToStart(settings);
      requireThat(
        words.test(said),
        `it said ${show(said)}, expected what to change (${words.source})`,
      );
      requireThat(!/ended with exit code 0\b/.test(said), 'the exit code is 0');
    },
    rest,
  );
}

const SECRET = 'x'.repeat(48);

export const PROCESSES: readonly Row[] = [
  refusesStart(
    'no-secret',
    'in production it does not start without a secret',
    { NODE_ENV: 'production', AUTH_SECRET: '' },
    /AUTH_SECRET/,
    { needs: ['auth'], reference: 'OWASP authentication' },
  ),
  refusesStart(
    'short-secret',
    'it does not start with a secret that is too short',
    { AUTH_SECRET: 'hush-hush' },
    /AUTH_SECRET/,
    { needs: ['auth'], reference: '7518#3.2' },
  ),
  refusesStart(
    'short-secret-production',
    'nor in production',
    { NODE_ENV: 'production', AUTH_SECRET: 'x'.repeat(31) },
    /AUTH_SECRET/,
    { needs: ['auth'], reference: '7518#3.2' },
  ),
  refusesStart(
    'any-origin',
    'in production it does not start with "*" as origin',
    { NODE_ENV: 'production', ALLOWED_ORIGINS: '*', AUTH_SECRET: SECRET },
    /ALLOWED_ORIGINS/,
    { reference: 'OWASP origin' },
  ),
  start(
    'common.start.secret-hidden',
    'it does not print a secret that it refuses',
    async (lab) => {
      const said = await lab.refusesToStart({ AUTH_SECRET: 'hush-hush' });
      requireThat(!said.includes('hush-hush'), 'the message holds the secret');
    },
    { needs: ['auth'], reference: 'OWASP logging' },
  ),
  start(
    'common.start.origins',
    'pages of ALLOWED_ORIGINS are welcome, and no others',
    async (lab) => {
      const server = await lab.boot({ ALLOWED_ORIGINS: 'https://app.example' });
      await server.connect({ headers: [['Origin', 'https://app.example']] });
      for (const origin of [
        'http://app.example',
        'https://app.example.attacker.example',
        'https://sub.app.example',
        'https://app.example:8443',
      ]) {
        await server.refuses({ headers: [['Origin', origin]] }, 403);
      }
    },
    { reference: 'OWASP origin' },
  ),

  stop('common.drain.message', 'before it closes, it says when to come back', async (lab) => {
    const client = await lab.connect();
    await lab.subject.stopping();
    const before = await client.closed(1001);
    const draining = before.find(({ type }) => type === 'draining');
    requireThat(draining !== undefined, 'no message "draining" came before the close');
    requireThat(
      COUNT.holds(draining['retryAfterMs']),
      `"retryAfterMs" is ${show(draining['retryAfterMs'])}`,
    );
  }),
  stop('common.drain.random', 'each client at another time', async (lab) => {
    const clients = await Promise.all(Array.from({ length: 8 }, () => lab.connect()));
    await lab.subject.stopping();
    const times = new Set<unknown>();
    for (const client of clients) {
      const before = await client.closed(1001);
      times.add(before.find(({ type }) => type === 'draining')?.['retryAfterMs']);
    }
    requireThat(times.size > 1, `every client got retryAfterMs ${show([...times][0])}`);
  }),
  stop(
    'common.drain.exit',
    'it closes everybody with 1001 and ends with exit code 0',
    async (lab) => {
      const clients = await Promise.all([lab.connect(), lab.connect()]);
      const { exited } = await lab.subject.stopping();
      for (const client of clients) await client.closed(1001);
      requireSame(await exited, 0, 'the exit code');
    },
  ),
  stop(
    'common.drain.unknown',
    'also those who have not said who they are',
    async (lab) => {
      const client = await lab.open({ token: null });
      await client.expect('auth-required');
      await lab.subject.stopping();
      await client.closed(1001);
    },
    { needs: ['auth'] },
  ),
  stop('common.drain.stubborn', 'a client that does not answer does not keep it', async (lab) => {
    await lab.open({ unreadBytes: 0 });
    const { exited } = await lab.subject.stopping();
    requireSame(await exited, 0, 'the exit code');
  }),
  stop('common.drain.ready', 'meanwhile /readyz is 503', async (lab) => {
    await lab.subject.stopping();
    for (;;) {
      const { status } = await lab.http('GET', '/readyz');
      if (status === 503) break;
      requireSame(status, 200, 'the status of /readyz');
    }
  }),
  stop('common.drain.handshake', 'handshakes are then refused with 503', async (lab) => {
    const client = await lab.connect();
    // Somebody has to keep the server from ending.
    await lab.open({ unreadBytes: 0 });
    await lab.subject.stopping();
    await client.closed(1001);
    requireRetryAfter(await lab.refuses({}, 503));
  }),
];
