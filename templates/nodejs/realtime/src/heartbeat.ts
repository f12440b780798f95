import type { WebSocket } from 'ws';
import { GatedSocket } from './gate.ts';
import type { Gate } from './gate.ts';

/** Pings without a sign of life after which a peer counts as dead. */
const MAX_MISSED = 2;
/** The same while bytes wait for it: the network takes large steps, a slow reader minutes for one. */
const MAX_MISSED_READING = 8;
/** Bytes a second of the slowest client that counts as alive while it reads, and seconds at most. */
const SLOWEST_READER = 1024;
const MAX_PATIENCE = 600;

/**
 * Pings `client` about every `intervalMs` until it closes, and ends it when no octet came or went
 * during `MAX_MISSED` pings: TCP alone may take hours to detect a lost peer. A slow reader gets the
 * time for what was sent before the ping, as its pong comes after that.
 *
 * Octets count, not frames: in the middle of a large frame a peer cannot answer a ping.
 */
export function keepAlive(client: GatedSocket, gate: Gate, intervalMs: number): void {
  client.heartbeat = new Heartbeat(client, gate, intervalMs);
  client.on('pong', onPong);
  client.on('close', onClose);
}

function onPong(this: WebSocket, data: Buffer): void {
  if (this instanceof GatedSocket) this.heartbeat?.confirm(Number(data.toString()) || 0);
}

function onClose(this: WebSocket): void {
  if (this instanceof GatedSocket) this.heartbeat?.stop();
}

function beat(heartbeat: Heartbeat): void {
  heartbeat.beat();
}

/** The pings of one connection. */
export class Heartbeat {
  readonly #client: GatedSocket;
  readonly #gate: Gate;
  readonly #intervalMs: number;
  #missed = 0;
  #patience = 0;
  #timer: NodeJS.Timeout;
  /** As of the last ping. */
  #read = 0;
  #delivered = 0;
  #waiting = 0;
  /** Bytes that the peer has read: a ping says how many came before it, and its pong repeats that. */
  #confirmed: number;

  constructor(client: GatedSocket, gate: Gate, intervalMs: number) {
    this.#client = client;
    this.#gate = gate;
    this.#intervalMs = intervalMs;
    this.#confirmed = gate.tcp.bytesWritten;
    this.#timer = this.#schedule();
  }

  confirm(bytes: number): void {
    this.#confirmed = Math.max(this.#confirmed, bytes);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #hasMoved(): boolean {
    const { bytesRead: read, bytesWritten, writableLength: waiting } = this.#gate.tcp;
    const delivered = bytesWritten - waiting;
    const moved = read > this.#read || (this.#waiting > 0 && delivered > this.#delivered);
    this.#read = read;
    this.#delivered = delivered;
    this.#waiting = waiting;
    return moved;
  }

  beat(): void {
    const { tcp, isResting } = this.#gate;
    if (this.#hasMoved() || isResting) this.#missed = 0;
    // Only what is ahead of the first ping counts: a dead peer does not live longer for later bytes.
    if (this.#missed === 0) {
      const seconds = (tcp.bytesWritten - this.#confirmed) / SLOWEST_READER;
      this.#patience = (Math.min(seconds, MAX_PATIENCE) * 1000) / this.#intervalMs;
    }
    const allowed = this.#waiting > 0 ? MAX_MISSED_READING : MAX_MISSED;
    if (this.#missed >= Math.max(allowed, this.#patience)) {
      this.#client.terminate();
      return;
    }
    this.#missed += 1;
    this.#client.ping(String(tcp.bytesWritten));
    this.#timer = this.#schedule();
  }

  #schedule(): NodeJS.Timeout {
    // Jitter keeps ten thousand connections from pinging in the same millisecond; few steps, as Node keeps a
    // list for each duration.
    const jitter = 0.9 + Math.floor(Math.random() * 21) / 100;
    return setTimeout(beat, this.#intervalMs * jitter, this).unref();
  }
}
