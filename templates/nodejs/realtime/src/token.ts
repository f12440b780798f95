import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readConfig } from './config.ts';
import { ENV_FILE, readEnvironment } from './environment.ts';
import { Name } from './messages.ts';
import { signToken } from './sign-token.ts';

// npm run token -- --user ada [--rooms private-a,private-b] [--minutes 60]: prints a token for tests.
try {
  process.stdout.write(`${await makeToken()}\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}

async function makeToken(): Promise<string> {
  const { values } = parseArgs({
    options: {
      user: { type: 'string' },
      rooms: { type: 'string' },
      minutes: { type: 'string', default: '60' },
    },
  });
  const user = Name.safeParse(values.user);
  if (!user.success)
    throw new Error('expected --user <name>: 1 to 64 letters, digits, ".", "_", "-"');
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) throw new Error('expected --minutes above 0');
  const config = readConfig(readEnvironment());
  if (config.AUTH_PUBLIC_KEY !== undefined || config.AUTH_JWKS_URL !== undefined) {
    throw new Error(
      'only who has the private key makes tokens; unset AUTH_PUBLIC_KEY, AUTH_JWKS_URL',
    );
  }
  const secret = config.AUTH_SECRET ?? newSecret();
  return await signToken(config, secret, {
    user: user.data,
    minutes,
    rooms: values.rooms?.split(','),
  });
}

/** A secret for this machine, which the server reads at its next start. */
function newSecret(): string {
  const secret = randomBytes(32).toString('hex');
  const present = existsSync(ENV_FILE) ? readFileSync(ENV_FILE, 'utf8') : '';
  const start = present === '' || present.endsWith('\n') ? '' : '\n';
  appendFileSync(ENV_FILE, `${start}AUTH_SECRET=${secret}\n`, { mode: 0o600 });
  process.stderr.write(`wrote a new AUTH_SECRET to ${ENV_FILE}; restart the server\n`);
  return secret;
}
