import type { NegotiatedDeflate } from '../../protocol/index.ts';
import { DeflatedSource } from '../autobahn/corpus/deflated-source.ts';
import type { DeflateCache } from '../autobahn/corpus/deflate-cache.ts';
import { CaseConnection } from '../autobahn/connection.ts';
import { createMaskSource } from '../wire/mask-source.ts';
import type { CaseTask } from '../case.ts';

const maskSource = createMaskSource();

export interface OpenedOptions {
  /** What the tester is on this connection. */
  readonly role: 'client' | 'server';
  /** Undefined if permessage-deflate is not in force. */
  readonly deflate: NegotiatedDeflate | undefined;
  readonly cache: DeflateCache;
  /** Octets of the opening handshake. */
  readonly preopen: { readonly sent: number; readonly received: number };
  readonly idleS?: number | undefined;
}

/** The connection of a case whose handshake is done: now. */
export function openCase(
  { definition }: CaseTask,
  { role, deflate, cache, preopen, idleS }: OpenedOptions,
): CaseConnection {
  const { script } = definition;
  return new CaseConnection({
    definition,
    role,
    maskSource,
    source:
      deflate !== undefined && script.kind === 'compression'
        ? new DeflatedSource({ script, deflate, role, cache })
        : undefined,
    preopen,
    idleS,
    now: performance.now(),
  });
}
