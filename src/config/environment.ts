import { UsageError } from '../core/errors.ts';

/** The key that one `WS_*` variable sets. */
interface Variable {
  readonly key: string;
  readonly parse: (text: string) => unknown;
  readonly expected: string;
}

const integer = (text: string): unknown => (/^\d+$/.test(text) ? Number(text) : undefined);

/** The documented environment variables; each sets one key of `websocket.yaml`. */
const VARIABLES: Readonly<Record<string, Variable>> = {
  WS_MAX_PAYLOAD: {
    key: 'maxPayload',
    parse: integer,
    expected: 'a whole number of bytes, for example 104857600',
  },
  WS_PING_INTERVAL: {
    key: 'pingInterval',
    parse: integer,
    expected: 'a whole number of milliseconds, for example 30000',
  },
  WS_COMPRESSION: {
    key: 'compression.enabled',
    parse: (text) => ({ true: true, false: false })[text],
    expected: 'true or false',
  },
};

/** One value that an environment variable sets. */
export interface EnvironmentValue {
  readonly name: string;
  readonly key: string;
  readonly value: unknown;
}

/**
 * Reads the `WS_*` variables that are set; an empty one counts as not set.
 *
 * @throws UsageError WSK_ERR_INVALID_CONFIG naming the variable, what was read and what was expected
 */
export function readEnvironment(env: NodeJS.ProcessEnv): EnvironmentValue[] {
  return Object.entries(VARIABLES).flatMap(([name, variable]) => {
    const text = env[name];
    if (text === undefined || text === '') return [];
    const value = variable.parse(text);
    if (value === undefined) {
      throw new UsageError(
        'WSK_ERR_INVALID_CONFIG',
        `environment variable ${name} is ${JSON.stringify(text)}, expected ${variable.expected}`,
      );
    }
    return [{ name, key: variable.key, value }];
  });
}
