import type { Lab } from '../lab.ts';
import { ALL, rowsOf } from '../row.ts';
import type { Row } from '../row.ts';

const row = rowsOf('HTTP of all types', ALL, { reference: 'OWASP origin' });

function host(lab: Lab): string {
  return new URL(lab.subject.url).host;
}

/** A page of the origin gets nothing. */
async function keepsOut(lab: Lab, origin: string, ownHost?: string): Promise<void> {
  const headers = [
    ['Origin', origin],
    ...(ownHost === undefined ? [] : [['Host', ownHost] as const]),
  ] as [string, string][];
  await lab.refuses({ headers }, 403);
}

export const ORIGINS: readonly Row[] = [
  row('common.origin.other', 'a page of another origin is refused with 403', (lab) =>
    keepsOut(lab, 'https://attacker.example'),
  ),
  row('common.origin.prefix', 'a host that begins like this one is another', async (lab) => {
    await keepsOut(lab, `http://${host(lab)}.attacker.example`);
    await keepsOut(lab, `http://${new URL(lab.subject.url).hostname}.attacker.example`);
  }),
  row('common.origin.user-info', 'a user name that looks like this host does not help', (lab) =>
    keepsOut(lab, `http://${host(lab)}@attacker.example`),
  ),
  row('common.origin.null', 'a page without an origin ("null") is refused with 403', (lab) =>
    keepsOut(lab, 'null'),
  ),
  row('common.origin.malformed', 'an Origin that is no origin is refused with 403', (lab) =>
    keepsOut(lab, 'not an origin'),
  ),
  row('common.origin.rebinding', 'a foreign name that points to this server is refused', (lab) =>
    keepsOut(lab, 'http://attacker.example:8080', 'attacker.example:8080'),
  ),
  row('common.origin.two', 'two Origin headers are refused', async (lab) => {
    const headers = [
      ['Origin', `http://${host(lab)}`],
      ['Origin', 'https://attacker.example'],
    ] as const;
    await lab.refuses({ headers }, 400, 403);
  }),
  row('common.origin.own', 'a page of this host is welcome', async (lab) => {
    const scheme = new URL(lab.subject.url).protocol === 'wss:' ? 'https' : 'http';
    await lab.connect({ headers: [['Origin', `${scheme}://${host(lab)}`]] });
  }),
  row(
    'common.origin.none',
    'a client that is no page has no Origin, and is welcome',
    async (lab) => {
      await lab.connect();
    },
  ),
];
