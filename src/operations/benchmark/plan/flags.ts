import { BenchmarkInput } from '../schema.ts';

/** `messagesPerSecond` -> `--messages-per-second`, `sourceIps` -> `--source-ip`. */
export function flagOf(field: keyof BenchmarkInput): string {
  const meta = BenchmarkInput.shape[field].meta();
  const kebab = field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `--${typeof meta?.['flag'] === 'string' ? meta['flag'] : kebab}`;
}
