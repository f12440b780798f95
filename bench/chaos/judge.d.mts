type Event = readonly [type: string, at: number, ...unknown[]];

export interface Log {
  streams: { client: string; room: string; events: Event[] }[];
  clients: { name: string; states: [at: number, state: string][] }[];
  shared: Record<string, string[][]>;
  final: Record<string, { epoch: string; offset: number }>;
  historyMessages: number;
  problems: { at: number; text: string }[];
}

export interface Judgement {
  verdict: 'pass' | 'fail';
  violations: { kind: string; at: number; client?: string; room?: string; text: string }[];
  acknowledged: { all: number; lost: number };
}

export function judge(log: Log): Judgement;
