import type { Connection } from './connection.ts';

/** The open connections of a worker, without gaps, in no particular order. */
export class ConnectionList {
  readonly #connections: Connection[] = [];

  get size(): number {
    return this.#connections.length;
  }

  at(position: number): Connection {
    return this.#connections[position] as Connection;
  }

  add(connection: Connection): void {
    connection.position = this.#connections.length;
    this.#connections.push(connection);
  }

  /** The last takes the place of the one that leaves, if that is in the list. */
  remove(connection: Connection): void {
    const { position } = connection;
    if (position < 0) return;
    const last = this.#connections.pop();
    if (last !== undefined && last !== connection) {
      this.#connections[position] = last;
      last.position = position;
    }
    connection.position = -1;
  }
}
