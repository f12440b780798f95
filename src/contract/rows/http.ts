import { requireThat } from '../client.ts';
import { ALL, rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import { show } from '../shape.ts';

const row = rowsOf('HTTP of all types', ALL);

export const HTTP: readonly Row[] = [
  row('common.http.healthz', 'GET /healthz is answered with 200', async (lab) => {
    await lab.answers(200, 'GET', '/healthz');
  }),
  row('common.http.readyz', 'GET /readyz is answered with 200 while it serves', async (lab) => {
    await lab.answers(200, 'GET', '/readyz');
  }),
  row(
    'common.http.metrics',
    'GET /metrics is text of Prometheus',
    async (lab) => {
      await lab.connect();
      const { text, headers } = await lab.answers(200, 'GET', '/metrics');
      const kind = headers['content-type'] ?? '';
      requireThat(
        kind.startsWith('text/plain'),
        `Content-Type is ${show(kind)}, expected text/plain`,
      );
      requireThat(
        /^# TYPE \S+ (?:counter|gauge|histogram)$/m.test(text),
        'no line starts "# TYPE"',
      );
      const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      const broken = lines.find((line) => !/^[a-zA-Z_:][\w:]*(?:\{.*\})? \S+(?: \d+)?$/.test(line));
      requireThat(broken === undefined, `the line ${show(broken)} is no sample`);
    },
    { needs: ['metrics'] },
  ),
  row(
    'common.http.metrics-token',
    'with METRICS_TOKEN, /metrics is answered only with it',
    async (lab) => {
      await lab.answers(401, 'GET', '/metrics');
      await lab.answers(401, 'GET', '/metrics', { token: 'x'.repeat(40) });
      await lab.answers(200, 'GET', '/metrics', { token: lab.subject.secrets.metrics });
    },
    { needs: ['metrics'], environment: 'closed', reference: 'OWASP tokens' },
  ),
  row(
    'common.http.metrics-secrets',
    'the metrics name no user and no token',
    async (lab) => {
      const user = lab.name('secret');
      await lab.connect({ user });
      const { text } = await lab.answers(200, 'GET', '/metrics');
      requireThat(!text.includes(user), 'a metric holds the name of a user');
      requireThat(!/eyJ[\w-]{8,}/.test(text), 'a metric holds a token');
    },
    { needs: ['metrics'], reference: 'OWASP logging' },
  ),
  row(
    'common.http.no-metrics',
    'without the feature, /metrics is 404',
    async (lab) => {
      await lab.answers(404, 'GET', '/metrics');
    },
    { lacks: ['metrics'] },
  ),
  row('common.http.unknown', 'an unknown path is 404', async (lab) => {
    await lab.answers(404, 'GET', '/wsk-unknown');
  }),
  row(
    'common.http.upgrade-elsewhere',
    'a handshake at another path is refused with 404',
    async (lab) => {
      await lab.refuses({ path: '/wsk-unknown' }, 404);
    },
    { needs: ['project'] },
  ),
  row(
    'common.http.no-page',
    'without DEMO=1 there is no page',
    async (lab) => {
      await lab.answers([404, 426], 'GET', '/');
      await lab.answers(404, 'GET', '/index.html');
    },
    { needs: ['project'] },
  ),
  row(
    'common.http.no-demo',
    'without DEMO=1 nobody gets a token, and nobody stops the server',
    async (lab) => {
      await lab.answers(404, 'POST', '/demo/token', { json: { user: 'ada' } });
      await lab.answers(404, 'POST', '/demo/stop');
      await lab.answers(200, 'GET', '/healthz');
    },
    { reference: 'OWASP authentication' },
  ),
  row(
    'common.http.files',
    'paths lead to no files',
    async (lab) => {
      for (const path of ['/package.json', '/..%2fpackage.json', '/%2e%2e/package.json', '/.env']) {
        await lab.answers([400, 404], 'GET', path);
      }
    },
    { reference: 'OWASP input validation' },
  ),
];
