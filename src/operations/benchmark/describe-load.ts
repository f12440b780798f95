import { printableRedisUrl } from '../../load/distributed/redis.ts';
import type { LoadPlan } from '../../load/plan.ts';
import { shellQuote } from '../../core/shell-quote.ts';
import { count, short } from '../../report/format.ts';
import { BenchmarkInput, flagOf } from './schema.ts';

/** Length of what replaces `{{id}}` in a published message. */
const ID_DIGITS = 16;

/** The load in one line: open or closed loop, rate, sizes; `scenario` is the name of the scenario. */
export function describeLoad(plan: LoadPlan, scenario: string | null = null): string {
  const { mode, connections, load, fanout } = plan;
  const clients = connections === 1 ? '1 connection' : `${count(connections)} connections`;
  if (scenario !== null) {
    const pace = load.model === 'open' ? `, ${short(load.rate)} messages per second` : '';
    return `${clients} running the scenario ${scenario}${pace}`;
  }
  if (mode === 'idle') return `${clients} without messages`;
  if (mode === 'connect') {
    const isPaced = load.model === 'open' && load.rate > 0;
    const pace = isPaced
      ? `${short(load.rate)} handshakes per second`
      : 'handshakes as fast as possible';
    return `${pace}, up to ${clients} at once`;
  }
  const size = describeSize(plan);
  if (load.model === 'closed') {
    const depth = load.depth === 1 ? 'one message' : `${load.depth} messages`;
    return `closed loop: ${clients}, ${depth} in flight on each, ${size}`;
  }
  const senders = fanout === null ? clients : `${count(fanout.publishers)} of ${clients}`;
  const arrivals = load.arrivals === 'poisson' ? ' at random moments' : '';
  return `open loop: ${short(load.rate)} messages per second${arrivals} from ${senders}, ${size}`;
}

function describeSize({ message, fanout }: LoadPlan): string {
  if (fanout !== null) {
    const sent = fanout.publish.replace('{{id}}', '0'.repeat(ID_DIGITS));
    return `${count(Buffer.byteLength(sent))} bytes of text`;
  }
  const kind = message.opcode === 1 ? 'text' : 'binary';
  const { size } = message;
  switch (size.kind) {
    case 'fixed':
      return `${count(size.bytes)} bytes of ${kind}`;
    case 'uniform':
      return `${count(size.min)} to ${count(size.max)} bytes of ${kind}`;
    case 'sample':
      return `${count(Buffer.from(size.base64, 'base64').length)} bytes of ${kind} from a file`;
  }
}

/** Headers whose values are secret. */
const SECRET_HEADERS = /^(?:proxy-)?authorization$|^cookie$|key|token|secret/i;

/** The command line that repeats this run, for a POSIX shell, without values of secret headers. */
export function commandOf(input: BenchmarkInput): string {
  const words = (Object.keys(BenchmarkInput.shape) as (keyof BenchmarkInput)[]).flatMap((field) => {
    const value = input[field];
    const usual = BenchmarkInput.shape[field].safeParse(undefined).data as unknown;
    if (value === undefined || JSON.stringify(value) === JSON.stringify(usual)) return [];
    return flagWords(field, value);
  });
  return shellQuote(['websocket-skill', 'benchmark', ...words]);
}

function flagWords(field: keyof BenchmarkInput, value: unknown): string[] {
  const flag = flagOf(field);
  if (value === true) return [flag];
  if (value === false) return [flag.replace('--', '--no-')];
  const values = Array.isArray(value) ? (value as unknown[]) : [value];
  return values.flatMap((one) => [flag, wordOf(field, one)]);
}

function wordOf(field: keyof BenchmarkInput, value: unknown): string {
  if (field.endsWith('Ms')) return durationWord(Number(value));
  const text = String(value);
  if (field === 'distributed') return printableRedisUrl(text);
  if (field !== 'headers') return text;
  const [name = ''] = text.split(':');
  return SECRET_HEADERS.test(name.trim()) ? `${name}: ...` : text;
}

function durationWord(ms: number): string {
  return ms >= 1000 && ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
