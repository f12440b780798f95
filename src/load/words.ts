import { flagOf } from './flags.ts';
import type { LoadPlan } from './plan.ts';
import { count, duration, short } from './reports/format.ts';
import { BenchmarkInput } from './schema.ts';

/** Open or closed loop and its figures, in words. */
export function describeLoad(plan: LoadPlan): string {
  const { mode, connections, load, fanout, phases } = plan;
  const clients = connections === 1 ? '1 connection' : `${count(connections)} connections`;
  if (mode === 'idle') return `${clients}, quiet`;
  if (mode === 'connect') {
    const { rampMs } = phases;
    if (load.model === 'open' && load.rate > 0) {
      return `${short(load.rate)} handshakes per second, up to ${clients} at once`;
    }
    return `${clients}, opened ${rampMs === 0 ? 'as fast as they can be' : `over ${duration(rampMs)}`}`;
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
  if (fanout !== null) return `${Buffer.byteLength(fanout.publish)} bytes of text`;
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

/** Whose values are secrets, in the command as in reports. */
const SECRET_HEADERS = /^(?:proxy-)?authorization$|^cookie$|key|token|secret/i;

/** The command line that repeats this, for a POSIX shell; values of secret headers are left out. */
export function commandOf(input: BenchmarkInput): string {
  const words = (Object.keys(BenchmarkInput.shape) as (keyof BenchmarkInput)[]).flatMap((field) => {
    const value = input[field];
    const usual = BenchmarkInput.shape[field].safeParse(undefined).data as unknown;
    if (value === undefined || JSON.stringify(value) === JSON.stringify(usual)) return [];
    return flagWords(field, value);
  });
  return ['websocket-skill', 'benchmark', ...words].map(quote).join(' ');
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
  if (field !== 'headers') return text;
  const [name = ''] = text.split(':');
  return SECRET_HEADERS.test(name.trim()) ? `${name}: ...` : text;
}

function durationWord(ms: number): string {
  return ms >= 1000 && ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

function quote(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
