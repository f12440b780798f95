import { EnvironmentError } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/errors.ts';
import { dial } from '../../transport/index.ts';
import type { LoadPlan } from '../plan.ts';
import type { ErrorKind, ErrorRow } from '../measure/errors.ts';

const CODES: Partial<Record<ErrorKind, ErrorCode>> = {
  refused: 'WSK_ERR_REFUSED',
  timeout: 'WSK_ERR_TIMEOUT',
  dns: 'WSK_ERR_DNS',
  tls: 'WSK_ERR_TLS',
  status: 'WSK_ERR_HTTP_STATUS',
  handshake: 'WSK_ERR_NOT_HTTP',
};

const HINTS: Partial<Record<ErrorKind, string>> = {
  descriptors: 'raise the limit of open files: ulimit -n <number>',
  ports:
    'give more local addresses with --source-ip, or wait until closed connections have expired',
};

/** Kinds that a single connection does not cause. */
const OF_MANY: readonly ErrorKind[] = ['descriptors', 'ports'];

/**
 * Why no connection could be opened. One more attempt with `dial` gives the best description; if
 * that succeeds, the most frequent error is reported.
 */
export async function noConnectionError(
  plan: LoadPlan,
  errors: readonly ErrorRow[],
): Promise<EnvironmentError> {
  const first = errors[0];
  const { target } = plan;
  if (first !== undefined && !OF_MANY.includes(first.kind) && target.cert === null) {
    const tried = await attempt(plan);
    if (tried !== undefined) return tried;
  }
  const kind = first?.kind ?? 'other';
  const reason = first?.first ?? 'no reason was given';
  const hint = HINTS[kind];
  return new EnvironmentError(
    CODES[kind] ?? 'WSK_ERR_CONNECTION_LOST',
    `none of ${plan.connections} connections to ${target.url} could be opened: ${reason}`,
    { cause: new Error(reason), ...(hint === undefined ? {} : { hint }) },
  );
}

/** Opens one connection and closes it; returns the error if that fails. */
export async function attempt({ target, phases }: LoadPlan): Promise<EnvironmentError | undefined> {
  const token = target.tokens[0];
  try {
    const channel = await dial(target.url, {
      headers: [
        ...target.headers,
        ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`] as const]),
      ],
      protocols: target.subprotocols,
      tls: { rejectUnauthorized: !target.insecure, ca: target.ca ?? undefined },
      timeoutMs: phases.connectTimeoutMs,
    });
    channel.terminate();
    return undefined;
  } catch (error) {
    if (error instanceof EnvironmentError) return error;
    throw error;
  }
}
