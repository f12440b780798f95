import { Client, requireFields, requireSame, requireThat } from '../client.ts';
import { expectJson, expectStatus } from '../lab.ts';
import type { Lab } from '../lab.ts';
import { ALL, PUBLISHING, rowsOf } from '../row.ts';
import type { Row } from '../row.ts';
import { COUNT, POSITIVE, TEXT, TIME, show } from '../shape.ts';
import type { Claims } from '../token.ts';

const row = rowsOf('Authentication (feature `auth`)', ALL, {
  needs: ['auth', 'signing'],
  reference: 'OWASP authentication',
});

const seconds = (): number => Math.floor(Date.now() / 1000);

/** A token that has to be refused in the handshake, and as a first message. */
export async function refusesToken(lab: Lab, token: string): Promise<void> {
  const { headers } = await lab.refuses({ token }, 401);
  const challenge = headers['www-authenticate'] ?? '';
  requireThat(
    /^Bearer\b.*error="invalid_token"/.test(challenge),
    `WWW-Authenticate is ${show(challenge)}, expected Bearer error="invalid_token"`,
  );
}

function refusedToken(
  id: string,
  title: string,
  make: (lab: Lab) => string,
  rest: Parameters<typeof row>[3] = {},
): Row {
  return row(
    `common.auth.${id}`,
    `${title} is refused with 401`,
    (lab) => refusesToken(lab, make(lab)),
    {
      reference: '7519#7.2',
      ...rest,
    },
  );
}

const withClaims = (claims: Claims) => (lab: Lab) => lab.token('ada', claims);

/** A connection whose first message has to be `auth`. */
async function unknown(lab: Lab, waitMs?: number): Promise<Client> {
  const client = await lab.open({ token: null, ...(waitMs !== undefined && { waitMs }) });
  await client.expect('auth-required', { timeoutMs: POSITIVE });
  return client;
}

async function ticketFor(lab: Lab, user: string, token = lab.token(user)): Promise<string> {
  const answer = await lab.answers(200, 'POST', '/ticket', { token });
  return String(expectJson(answer, { ticket: TEXT, expiresInMs: POSITIVE })['ticket']);
}

const query = (name: string, value: string): string => `?${name}=${encodeURIComponent(value)}`;

/** Does what has to be done before a token ends, which is soon; again with more time if it was too late. */
async function beforeEnd<T>(act: (exp: number) => Promise<T>): Promise<T> {
  for (let left = 2; ; left *= 2) {
    const exp = seconds() + left;
    try {
      return await act(exp);
    } catch (error) {
      if (Date.now() < exp * 1000 || left > 8) throw error;
    }
  }
}

export const AUTH: readonly Row[] = [
  row('common.auth.header', 'a token in Authorization names the user', async (lab) => {
    const user = lab.name('user');
    const { welcome } = await lab.connect({ user, claims: { exp: seconds() + 100 } });
    requireSame(welcome['user'], user, 'the user');
  }),
  row('common.auth.expires-at', 'welcome says when the token expires', async (lab) => {
    const exp = seconds() + 1000;
    const { welcome } = await lab.connect({ claims: { exp } });
    requireThat(TIME.holds(welcome['expiresAt']), `"expiresAt" is ${show(welcome['expiresAt'])}`);
    requireSame(Date.parse(String(welcome['expiresAt'])), exp * 1000, '"expiresAt"');
  }),
  row(
    'common.auth.scheme-case',
    'the scheme is read in any case (RFC 9110)',
    async (lab) => {
      const user = lab.name('user');
      const client = await lab.connect({
        token: null,
        headers: [['Authorization', `bearer ${lab.token(user)}`]],
      });
      requireSame(client.welcome['user'], user, 'the user');
    },
    { reference: '9110#11.1' },
  ),
  row('common.auth.query-ignored', '?user= names nobody where tokens do', async (lab) => {
    const client = await lab.open({ path: '?user=root' });
    const first = await client.take('auth-required', () => true);
    requireSame(first['type'], 'auth-required', 'the type of the first message');
  }),
  refusedToken(
    'none',
    'a token that is not signed (alg none)',
    (lab) => lab.token('ada', {}, 'none'),
    {
      reference: '8725#3.1',
    },
  ),
  refusedToken(
    'algorithm',
    'a token of another algorithm',
    (lab) => lab.token('ada', {}, 'HS512'),
    {
      reference: '8725#3.1',
    },
  ),
  refusedToken('signature', 'a token signed with another secret', (lab) =>
    lab.token('ada', {}, 'HS256', 'another secret of more than 32 bytes'),
  ),
  refusedToken('tampered', 'a token whose claims were changed', (lab) => {
    const [head = '', , signature = ''] = lab.token('ada').split('.');
    const [, body = ''] = lab.token('root').split('.');
    return `${head}.${body}.${signature}`;
  }),
  refusedToken('expired', 'a token that has expired', withClaims({ exp: seconds() - 3600 })),
  refusedToken('no-exp', 'a token without an end', withClaims({ exp: undefined })),
  refusedToken('exp-text', 'a token whose end is no number', withClaims({ exp: 'never' })),
  refusedToken('not-before', 'a token that is not valid yet', (lab) =>
    lab.token('ada', { nbf: seconds() + 3600, exp: seconds() + 7200 }),
  ),
  refusedToken('no-sub', 'a token that names nobody', withClaims({ sub: undefined })),
  refusedToken('bad-sub', 'a token whose sub is no name', withClaims({ sub: '../root user' })),
  refusedToken('audience', 'a token for another audience', withClaims({ aud: 'somebody-else' }), {
    needs: ['audience'],
  }),
  refusedToken('no-audience', 'a token for nobody in particular', withClaims({ aud: undefined }), {
    needs: ['audience'],
  }),
  row(
    'common.auth.audience-list',
    'a token for several audiences is taken',
    async (lab) => {
      await lab.connect({ claims: { aud: ['somebody-else', lab.subject.secrets.audience] } });
    },
    { needs: ['audience'], reference: '7519#4.1.3' },
  ),
  refusedToken('garbage', 'what is no token', () => 'abc.def.ghi'),
  ...['token', 'access_token'].map((name) =>
    row(
      `common.auth.query-${name.replace('_', '-')}`,
      `a token in the query (?${name}=) is refused with 400`,
      async (lab) => {
        await lab.refuses({ path: query(name, lab.token('ada')) }, 400);
        await lab.refuses(
          { path: query(name, 'x'), headers: [['Authorization', `Bearer ${lab.token('ada')}`]] },
          400,
        );
      },
      { reference: '6750#5.3' },
    ),
  ),
  row('common.ticket.used', 'a ticket opens one connection, of its user', async (lab) => {
    const user = lab.name('user');
    const ticket = await ticketFor(lab, user);
    const { welcome } = await lab.connect({ path: query('ticket', ticket) });
    requireSame(welcome['user'], user, 'the user');
    requireThat(TIME.holds(welcome['expiresAt']), `"expiresAt" is ${show(welcome['expiresAt'])}`);
  }),
  row('common.ticket.twice', 'a ticket that was used is refused with 401', async (lab) => {
    const path = query('ticket', await ticketFor(lab, lab.name('user')));
    await lab.connect({ path });
    await lab.refuses({ path }, 401);
  }),
  row('common.ticket.race', 'of two that use a ticket at once, one gets in', async (lab) => {
    const path = query('ticket', await ticketFor(lab, lab.name('user')));
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map(() => lab.connect({ path })));
    const opened = outcomes.filter(({ status }) => status === 'fulfilled').length;
    requireSame(opened, 1, 'connections that the ticket has opened');
  }),
  row('common.ticket.unknown', 'a ticket that nobody got is refused with 401', async (lab) => {
    for (const ticket of ['x', '', 'A'.repeat(43)])
      await lab.refuses({ path: query('ticket', ticket) }, 401);
  }),
  row('common.ticket.lifetime', 'a ticket lives for 30 seconds', async (lab) => {
    const answer = await lab.answers(200, 'POST', '/ticket', { token: lab.token('ada') });
    expectJson(answer, { expiresInMs: 30_000 });
  }),
  row(
    'common.ticket.expired',
    'a ticket that has expired is refused with 401',
    async (lab) => {
      const answer = await lab.answers(200, 'POST', '/ticket', { token: lab.token('ada') });
      const { ticket, expiresInMs } = expectJson(answer, { ticket: TEXT, expiresInMs: POSITIVE });
      requireSame(expiresInMs, 300, '"expiresInMs"');
      await lab.elapse(400);
      await lab.refuses({ path: query('ticket', String(ticket)) }, 401);
    },
    { environment: 'brief' },
  ),
  row('common.ticket.no-token', 'POST /ticket without a token is 401', async (lab) => {
    await lab.answers(401, 'POST', '/ticket');
    await lab.answers(401, 'POST', '/ticket', { token: lab.token('ada', {}, 'none') });
    await lab.answers(401, 'POST', '/ticket', { token: lab.token('ada', { exp: seconds() - 60 }) });
  }),
  row('common.ticket.get', 'GET /ticket gives none', async (lab) => {
    await lab.answers([404, 405], 'GET', '/ticket', { token: lab.token('ada') });
  }),
  row(
    'common.ticket.log',
    'a ticket is not for caches',
    async (lab) => {
      const { headers } = await lab.answers(200, 'POST', '/ticket', { token: lab.token('ada') });
      requireThat(
        /no-store/.test(headers['cache-control'] ?? ''),
        `Cache-Control is ${show(headers['cache-control'])}, expected no-store`,
      );
    },
    { reference: '6750#5.3' },
  ),
  row('common.first.required', 'who says nothing in the handshake is asked', async (lab) => {
    const client = await lab.open({ token: null });
    const first = await client.take('auth-required', () => true);
    requireFields(first, ['timeoutMs', 'type']);
  }),
  row('common.first.auth', 'a token as a first message is answered with welcome', async (lab) => {
    const user = lab.name('user');
    const client = await unknown(lab);
    const welcome = await client.request({ type: 'auth', token: lab.token(user) }, 'welcome', {
      client: TEXT,
      user,
      expiresAt: TIME,
    });
    requireThat(Array.isArray(welcome['features']), 'welcome has no list of features');
    await client.lives();
  }),
  row('common.first.ping', 'ping may come before', async (lab) => {
    await (await unknown(lab)).lives();
  }),
  row(
    'common.first.other',
    'other commands may not',
    async (lab) => {
      const client = await unknown(lab);
      await client.refused(lab.dialect.enter(lab.name()), 'not_authenticated');
      await client.refused(lab.dialect.leave(lab.name()), 'not_authenticated');
      await client.lives();
    },
    { reference: 'OWASP authorization', needs: ['rooms'] },
  ),
  row(
    'common.first.publish',
    'who is not known publishes nothing',
    async (lab) => {
      const name = lab.name();
      const member = await lab.member(name);
      const client = await unknown(lab);
      await client.refused(lab.dialect.publish(name, 'x'), 'not_authenticated', 'bad_message');
      await member.none('event', ({ type }) => type === lab.dialect.event);
    },
    { reference: 'OWASP authorization', types: PUBLISHING, needs: ['rooms'] },
  ),
  row(
    'common.first.silent',
    'who is not known hears nothing',
    async (lab) => {
      const client = await unknown(lab);
      const name = lab.name();
      await lab.prepare(name);
      await lab.member(name);
      await client.none('message', () => true);
    },
    { reference: 'OWASP authorization' },
  ),
  row('common.first.bad', 'a bad first token is bad_token, then 4501', async (lab) => {
    const client = await unknown(lab);
    await client.refused({ type: 'auth', token: lab.token('ada', {}, 'none') }, 'bad_token');
    await client.closed(4501);
  }),
  row('common.first.expired', 'an expired first token is bad_token, then 4501', async (lab) => {
    const client = await unknown(lab);
    await client.refused(
      { type: 'auth', token: lab.token('ada', { exp: seconds() - 60 }) },
      'bad_token',
    );
    await client.closed(4501);
  }),
  row('common.first.not-text', 'a first token that is no text is bad_message', async (lab) => {
    const client = await unknown(lab);
    await client.refused({ type: 'auth', token: 5 }, 'bad_message');
    await client.refused({ type: 'auth' }, 'bad_message');
  }),
  row(
    'common.first.timeout',
    'no token within timeoutMs: close 4500',
    async (lab) => {
      const client = await lab.open({ token: null });
      await client.expect('auth-required', { timeoutMs: 1000 });
      await client.closed(4500);
    },
    { environment: 'brief' },
  ),
  row('common.refresh.same', 'a newer token is answered with authenticated', async (lab) => {
    const user = lab.name('user');
    const client = await lab.connect({ user });
    const exp = seconds() + 5000;
    const reply = await client.request(
      { type: 'auth', token: lab.token(user, { exp }) },
      'authenticated',
    );
    requireSame(Date.parse(String(reply['expiresAt'])), exp * 1000, '"expiresAt"');
  }),
  row('common.refresh.longer', 'a refreshed connection outlives its first token', async (lab) => {
    const user = lab.name('user');
    const [kept, other] = await beforeEnd(async (exp) => {
      const options = { user, claims: { exp } };
      const clients = await Promise.all([lab.connect(options), lab.connect(options)]);
      await clients[0].request({ type: 'auth', token: lab.token(user) }, 'authenticated');
      return clients;
    });
    await other.closed(4401);
    await kept.lives();
  }),
  row(
    'common.refresh.other-user',
    'a token of another user is bad_token',
    async (lab) => {
      const client = await lab.connect();
      await client.refused({ type: 'auth', token: lab.token(lab.name('other')) }, 'bad_token');
      await client.lives();
    },
    { reference: 'OWASP authorization' },
  ),
  row(
    'common.refresh.bad',
    'a bad newer token is bad_token, and the connection stays',
    async (lab) => {
      const user = lab.name('user');
      const client = await lab.connect({ user });
      await client.refused({ type: 'auth', token: lab.token(user, {}, 'none') }, 'bad_token');
      await client.refused({ type: 'auth', token: lab.token(user, { exp: 1 }) }, 'bad_token');
      await client.lives();
    },
  ),
  row(
    'common.expiry.close',
    'when the token expires, the connection is closed with 4401',
    async (lab) => {
      const client = await beforeEnd((exp) => lab.connect({ claims: { exp } }));
      await client.closed(4401);
    },
    { reference: 'OWASP session expiry' },
  ),
  row(
    'common.expiry.first',
    'the same for a token that came as a message',
    async (lab) => {
      const client = await beforeEnd(async (exp) => {
        const asked = await unknown(lab);
        await asked.request({ type: 'auth', token: lab.token('ada', { exp }) }, 'welcome');
        return asked;
      });
      await client.closed(4401);
    },
    { reference: 'OWASP session expiry' },
  ),
  row(
    'common.expiry.ticket',
    'a ticket does not make its token last longer',
    async (lab) => {
      const client = await beforeEnd(async (exp) => {
        const ticket = await ticketFor(lab, 'ada', lab.token('ada', { exp }));
        return await lab.connect({ path: query('ticket', ticket) });
      });
      await client.closed(4401);
    },
    { reference: 'OWASP session expiry' },
  ),
  row('common.expiry.warning', 'token-expiring comes before', async (lab) => {
    const begun = Date.now();
    const client = await beforeEnd((exp) => lab.connect({ claims: { exp } }));
    const before = await client.closed(4401);
    const warning = before.find(({ type }) => type === 'token-expiring');
    requireThat(warning !== undefined, 'no token-expiring came before the close');
    const left = Date.parse(String(client.welcome['expiresAt'])) - begun;
    requireThat(
      COUNT.holds(warning['expiresInMs']) && Number(warning['expiresInMs']) <= left,
      `"expiresInMs" is ${show(warning['expiresInMs'])}, expected at most ${left}`,
    );
  }),
  row(
    'common.expiry.far',
    'an end in a thousand years needs no timer that overflows',
    async (lab) => {
      const client = await lab.connect({ claims: { exp: seconds() + 31_536_000_000 } });
      await client.lives();
      await client.lives();
    },
  ),
  row(
    'common.forbidden.private',
    'private- names need the claim rooms: else forbidden',
    async (lab) => {
      const name = lab.name('private');
      await lab.prepare(name);
      const client = await lab.connect();
      await client.refused(lab.dialect.enter(name), 'forbidden');
      await client.lives();
    },
    { reference: 'OWASP authorization', needs: ['rooms'] },
  ),
  row(
    'common.forbidden.claimed',
    'with the claim they are open',
    async (lab) => {
      const name = lab.name('private');
      await lab.prepare(name);
      const client = await lab.connect({ claims: { rooms: ['other', name] } });
      await lab.enter(client, name);
    },
    { reference: 'OWASP authorization', needs: ['rooms'] },
  ),
  row(
    'common.forbidden.other',
    'a claim for another name does not help',
    async (lab) => {
      const name = lab.name('private');
      await lab.prepare(name);
      for (const rooms of [
        [`${name}x`],
        [name.slice(0, -1)],
        ['private-'],
        ['*'],
        name,
        { [name]: 1 },
      ]) {
        const outcome = await lab.attempt({ claims: { rooms } });
        if (outcome instanceof Client) await outcome.refused(lab.dialect.enter(name), 'forbidden');
        else expectStatus(outcome, 'the handshake', [401]);
      }
    },
    { reference: 'OWASP authorization', needs: ['rooms'] },
  ),
  row(
    'common.forbidden.refreshed',
    'a refresh takes the claims of the newer token',
    async (lab) => {
      const name = lab.name('private');
      await lab.prepare(name);
      const user = lab.name('user');
      const client = await lab.connect({ user });
      await client.refused(lab.dialect.enter(name), 'forbidden');
      await client.request(
        { type: 'auth', token: lab.token(user, { rooms: [name] }) },
        'authenticated',
      );
      await lab.enter(client, name);
    },
    { reference: 'OWASP authorization', needs: ['rooms'] },
  ),
  row(
    'common.forbidden.narrowed',
    'a refresh ends what the newer token does not allow any more',
    async (lab) => {
      const [name, open] = [lab.name('private'), lab.name()];
      await Promise.all([lab.prepare(name), lab.prepare(open)]);
      const user = lab.name('user');
      const client = await lab.connect({ user, claims: { rooms: [name] } });
      await lab.enter(client, name);
      await lab.enter(client, open);
      client.send({ type: 'auth', token: lab.token(user) });
      const { key, left, enter, leave, notIn } = lab.dialect;
      await client.expect(left, { [key]: enter(name)[key], code: 'forbidden', id: undefined });
      await client.refused(leave(name), notIn);
      await client.request(leave(open), left);
    },
    { reference: 'OWASP authorization', needs: ['rooms'] },
  ),
  row(
    'common.forbidden.since',
    'forbidden says nothing of what was missed',
    async (lab) => {
      const name = lab.name('private');
      await lab.prepare(name);
      const client = await lab.connect();
      const error = await client.refused(
        lab.dialect.enter(name, { offset: 0, epoch: 'x' }),
        'forbidden',
      );
      for (const key of ['messages', 'patches', 'data', 'members', 'position']) {
        requireThat(!Object.hasOwn(error, key), `the error holds "${key}"`);
      }
    },
    { reference: 'OWASP authorization', needs: ['rooms', 'resume'] },
  ),
  row(
    'common.revoke.user',
    'revoking a user closes all connections with 4502',
    async (lab) => {
      const user = lab.name('user');
      const [one, other, stranger] = await Promise.all([
        lab.connect({ user }),
        lab.connect({ user }),
        lab.connect(),
      ]);
      await revoke(lab, { user });
      await one.closed(4502);
      await other.closed(4502);
      await stranger.lives();
    },
    { needs: ['admin-token'], reference: 'OWASP session expiry' },
  ),
  row(
    'common.revoke.before',
    'tokens issued before are refused',
    async (lab) => {
      const user = lab.name('user');
      const token = lab.token(user, { iat: seconds() - 10 });
      await lab.connect({ token });
      await revoke(lab, { user });
      await lab.refuses({ token }, 401);
      await lab.answers(401, 'POST', '/ticket', { token });
      const client = await unknown(lab);
      await client.refused({ type: 'auth', token }, 'bad_token');
    },
    { needs: ['admin-token'], reference: 'OWASP session expiry' },
  ),
  row(
    'common.revoke.no-iat',
    'so are tokens that do not say when they were issued',
    async (lab) => {
      const user = lab.name('user');
      await revoke(lab, { user });
      await lab.refuses({ token: lab.token(user, { iat: undefined }) }, 401);
    },
    { needs: ['admin-token'], reference: 'OWASP session expiry' },
  ),
  row(
    'common.revoke.jti',
    'revoking a token spares the others of its user',
    async (lab) => {
      const user = lab.name('user');
      const jti = lab.name('jti');
      const token = lab.token(user, { jti });
      const [gone, stays] = await Promise.all([
        lab.connect({ token }),
        lab.connect({ token: lab.token(user, { jti: lab.name('jti') }) }),
      ]);
      await revoke(lab, { jti });
      await gone.closed(4502);
      await stays.lives();
      await lab.refuses({ token }, 401);
    },
    { needs: ['admin-token'], reference: 'OWASP session expiry' },
  ),
  row(
    'common.revoke.ticket',
    'tickets of a revoked user are void',
    async (lab) => {
      const user = lab.name('user');
      const ticket = await ticketFor(lab, user, lab.token(user, { iat: seconds() - 10 }));
      await revoke(lab, { user });
      await lab.refuses({ path: query('ticket', ticket) }, 401);
    },
    { needs: ['admin-token'], reference: 'OWASP session expiry' },
  ),
  row(
    'common.revoke.token',
    'POST /revoke needs the token of the administrator',
    async (lab) => {
      const user = lab.name('user');
      const client = await lab.connect({ user });
      const json = { user };
      await lab.answers(401, 'POST', '/revoke', { json });
      await lab.answers(401, 'POST', '/revoke', { json, token: 'x'.repeat(48) });
      await lab.answers(401, 'POST', '/revoke', { json, token: lab.token(user) });
      await client.lives();
    },
    { needs: ['admin-token'], reference: 'OWASP authorization' },
  ),
  row(
    'common.revoke.body',
    'POST /revoke with another body is 400',
    async (lab) => {
      const token = lab.subject.secrets.admin;
      for (const body of ['', '{', '[]', '{}', '{"user":5}', '{"user":"a b"}']) {
        await lab.answers(400, 'POST', '/revoke', { token, body });
      }
    },
    { needs: ['admin-token'] },
  ),
  row(
    'common.revoke.closed',
    'without ADMIN_TOKEN nobody revokes',
    async (lab) => {
      await lab.answers([401, 403, 404], 'POST', '/revoke', { json: { user: 'ada' } });
      await lab.answers([401, 403, 404], 'POST', '/revoke', { json: { user: 'ada' }, token: '' });
    },
    { environment: 'closed', reference: 'OWASP authorization' },
  ),
];

async function revoke(lab: Lab, json: object): Promise<void> {
  await lab.answers(204, 'POST', '/revoke', { token: lab.subject.secrets.admin, json });
}
