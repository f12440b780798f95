import type { Connection } from '../socket/connection.ts';
import type { TrafficTimes } from './protocol.ts';

/** What one worker sends, and when. This base sends nothing, as the mode idle does. */
export class Executor {
  /** Resolves once its threads run: after that, connections may take all descriptors. */
  get ready(): Promise<void> {
    return Promise.resolve();
  }

  /** All that was due was sent. */
  get done(): boolean {
    return true;
  }

  /** A connection was opened, before the traffic starts. */
  opened(connection: Connection): void;
  opened(): void {}

  start(times: TrafficTimes): void;
  start(): void {}

  /** A piece of input of `connection` answered `count` messages. */
  answered(connection: Connection, count: number): void;
  answered(): void {}

  /** Sends no more. */
  stop(): void {}
}
