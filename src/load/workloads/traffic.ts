import type { Connection } from '../socket/connection.ts';
import type { TrafficTimes } from './protocol.ts';

/** What one worker sends and when; its ledger knows what came of it. */
export interface Traffic {
  /** Resolves once it has what it needs: the connections may take all descriptors that are left. */
  readonly ready: Promise<void>;
  /** A connection was opened, in the connect phase. */
  opened(connection: Connection): void;
  start(times: TrafficTimes): void;
  /** A piece of input of `connection` settled so many messages. */
  answered(connection: Connection, count: number): void;
  /** Everything that was due was sent. */
  readonly done: boolean;
  /** Sends no more. */
  stop(): void;
}
