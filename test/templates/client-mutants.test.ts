import {
  cpSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runClientContract } from '../../src/contract/client/index.ts';
import type { ClientType } from '../../src/generate/client.ts';
import { builtClient } from '../support/client-driver.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { root } from './generated.ts';

/** A promise of the client that is taken away, and the case that has to notice. */
interface Mutant {
  readonly what: string;
  readonly type?: ClientType;
  /** Below `dist/src/`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** More that is changed. */
  readonly and?: readonly (readonly [string, string])[];
  readonly id: string;
}

const MUTANTS: readonly Mutant[] = [
  {
    what: 'does not see gaps',
    file: 'stream.js',
    from: 'else if (offset > expected)',
    to: 'else if (offset > expected) this.#giveNew(event); else if (false)',
    id: 'gap.live',
  },
  {
    what: 'believes that nothing was lost',
    file: 'stream.js',
    from: 'this.#isComplete(events, known.offset, position.offset)',
    to: 'true',
    id: 'gap.lies',
  },
  {
    what: 'does not say that something is lost',
    file: 'stream.js',
    from: "this.emit('recovered', { recovered: isContinued })",
    to: "this.emit('recovered', { recovered: true })",
    id: 'gap.history',
  },
  {
    what: 'does not resume',
    file: 'client.js',
    from: '? stream.since : undefined',
    to: '? undefined : undefined',
    id: 'cut.event.after',
  },
  {
    what: 'takes answers twice',
    file: 'client.js',
    from: 'this.#due.delete(id);',
    to: '',
    id: 'twice.joined',
  },
  {
    what: 'waits for an answer without end',
    file: 'client.js',
    from: 'after(this.connection.limits.joinTimeoutMs,',
    to: 'after(1e9,',
    id: 'late.never',
  },
  {
    what: 'chooses another id for what it sends again',
    file: 'outbox.js',
    from: 'this.#wire.send(entry.text)',
    to: 'this.#wire.send(entry.text.replace(/"id":"./, `"id":"${entry.firstSentAt ? "x" : entry.id[0]}`))',
    id: 'cut.ack.before',
  },
  {
    what: 'sends again to a server that lost its memory',
    file: 'client.js',
    from: 'if (isNew)',
    to: 'if (false)',
    id: 'epoch.restart-before-ack',
  },
  {
    what: 'comes back after 4500',
    file: 'close-codes.js',
    from: "4500: 'no'",
    to: "4500: 'delay'",
    id: 'close.4500',
  },
  {
    what: 'comes back after codes that forbid it',
    file: 'close-codes.js',
    from: "(code >= 4500 && code <= 4999 ? 'no' : 'delay')",
    to: "'delay'",
    id: 'close.4998',
  },
  {
    what: 'gives up after codes that it does not know',
    file: 'close-codes.js',
    from: "(code >= 4500 && code <= 4999 ? 'no' : 'delay')",
    to: "'no'",
    id: 'close.4321',
  },
  {
    what: 'comes back after 403',
    file: 'close-codes.js',
    from: 'return status >= 500 ||',
    to: 'return status >= 400 ||',
    id: 'http.403',
  },
  {
    what: 'ignores Retry-After',
    file: 'connection.js',
    from: 'loss.retryAfterMs ?? this.#drainMs',
    to: 'this.#drainMs',
    id: 'http.503',
  },
  {
    what: 'ignores what a server that shuts down asks for',
    file: 'connection.js',
    from: 'loss.retryAfterMs ?? this.#drainMs',
    to: 'loss.retryAfterMs',
    id: 'draining',
  },
  {
    what: 'tries again without longer and longer waits',
    file: 'connection.js',
    from: ' * 2 ** Math.min(this.#attempts, 30)',
    to: '',
    id: 'backoff.refused',
  },
  {
    what: 'takes every connection for a good one',
    file: 'connection.js',
    from: 'stableMs: 10_000',
    to: 'stableMs: 0',
    id: 'backoff.brief',
  },
  {
    what: 'takes every welcome for a good connection',
    file: 'connection.js',
    from: 'if (uptimeMs >= this.limits.stableMs)',
    to: 'if (this.#welcomedAt !== undefined)',
    id: 'backoff.brief',
  },
  {
    what: 'does not notice silence',
    file: 'connection.js',
    from: "this.restart('the server is silent');",
    to: '{}',
    id: 'silence',
  },
  {
    what: 'gives what an answer repeats',
    file: 'stream.js',
    from: 'if (this.#offset !== undefined && offset <= this.#offset)',
    to: 'if (false)',
    id: 'twice.resume',
  },
  {
    what: 'takes an answer that repeats for one with a gap',
    file: 'stream.js',
    from: 'if (offset <= at)',
    to: 'if (false)',
    id: 'twice.resume',
  },
  {
    what: 'gives what waited for the answer that holds it',
    file: 'stream.js',
    from: 'this.handle(event);\n    }\n    /** Takes',
    to: 'this.give(event);\n    }\n    /** Takes',
    id: 'twice.early',
  },
  {
    what: 'gives old messages',
    file: 'stream.js',
    from: 'else if (offset > expected)',
    to: 'else if (offset < expected) this.give(event); else if (offset > expected)',
    id: 'twice.message',
  },
  {
    what: 'compares offsets of different epochs',
    file: 'stream.js',
    from: 'asked?.epoch === position?.epoch ? asked : undefined',
    to: 'asked',
    id: 'epoch.lies-later',
  },
  {
    what: 'sends again to a server that never resumes',
    file: 'client.js',
    from: 'this.outbox.forget();',
    to: '{}',
    and: [["this.outbox.lost(this.features.has('resume'))", 'this.outbox.lost(true)']],
    id: 'gap.no-resume-before-ack',
  },
  {
    what: 'sends again to a server that resumes no more',
    file: 'client.js',
    from: 'this.outbox.forget();',
    to: '{}',
    id: 'gap.resume-ends',
  },
  {
    what: 'keeps a connection after garbage',
    file: 'connection.js',
    from: "this.restart('malformed message');",
    to: '{}',
    id: 'garbage.last',
  },
  {
    what: 'does not replace a token that expires',
    file: 'connection.js',
    from: "case 'token-expiring':\n                this.#refresh();",
    to: "case 'token-expiring':",
    id: 'token.expiring',
  },
  {
    what: 'comes with the same token',
    file: 'connection.js',
    from: 'this.#token = undefined;\n            return isFutile',
    to: 'return isFutile',
    id: 'token.refused-once',
  },
  {
    what: 'keeps a document to which a patch did not apply',
    type: 'live-updates',
    file: 'stream.js',
    from: 'else if (offset > expected)',
    to: 'else if (offset > expected) this.#giveNew(event); else if (false)',
    id: 'gap.live',
  },
];

describe('a client without one of its promises', () => {
  const clients = new Map<ClientType, string>();
  const base = mkdtempSync(path.join(realpathSync(tmpdir()), 'websocket-skill-'));
  afterAll(() => rmSync(base, { recursive: true, force: true }));
  beforeAll(async () => {
    for (const type of ['chat', 'live-updates'] as const)
      clients.set(type, await builtClient(type, base));
  });

  it.each(MUTANTS)(
    'that $what is caught',
    async ({ type = 'chat', file, from, to, and = [], id }) => {
      const folder = temporaryFolder();
      cpSync(`${clients.get(type)}/dist`, `${folder}/dist`, { recursive: true });
      cpSync(`${clients.get(type)}/package.json`, `${folder}/package.json`);
      symlinkSync(path.join(root, 'node_modules'), `${folder}/node_modules`);
      const mutated = `${folder}/dist/src/${file}`;
      let text = readFileSync(mutated, 'utf8');
      for (const [present, other] of [[from, to] as const, ...and]) {
        expect(text).toContain(present);
        text = text.replace(present, () => other);
      }
      writeFileSync(mutated, text);
      const results = await runClientContract({
        ...{ type, command: 'node dist/src/driver.js {url}', cwd: folder },
        ...{ signal: new AbortController().signal, timeoutMs: 2500, ids: id.split(' ') },
      });
      expect(results.map(({ verdict }) => verdict)).toContain('fail');
    },
  );
});
