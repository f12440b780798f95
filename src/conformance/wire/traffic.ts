import type { Traffic, TrafficCounters } from '../result.ts';

type Counters = { -readonly [Key in keyof TrafficCounters]: number };

/** Counts what goes over a connection while it is open. */
export class TrafficMeter {
  /** Octets received behind the handshake, counted whatever the state. */
  streamOffset = 0;
  readonly #outgoing: Counters;
  readonly #incoming: Counters;

  constructor(preopen: { readonly sent: number; readonly received: number }) {
    this.#outgoing = newCounters(preopen.sent);
    this.#incoming = newCounters(preopen.received);
  }

  received(octets: number): void {
    this.#incoming.octetsWireLevel += octets;
  }

  receivedFrame(payloadBytes: number, open: boolean): void {
    if (!open) return;
    this.#incoming.webSocketFrames++;
    this.#incoming.octetsWebSocketLevel += payloadBytes;
  }

  receivedMessage(bytes: number): void {
    this.#incoming.webSocketMessages++;
    this.#incoming.octetsAppLevel += bytes;
  }

  sentFrames(frames: number, payloadBytes: number, open: boolean): void {
    if (!open) return;
    this.#outgoing.webSocketFrames += frames;
    this.#outgoing.octetsWebSocketLevel += payloadBytes;
  }

  sentMessage(bytes: number): void {
    this.#outgoing.webSocketMessages++;
    this.#outgoing.octetsAppLevel += bytes;
  }

  /** `total` octets so far; what is written while closing does not count. */
  octetsSent(total: number, open: boolean): void {
    if (open) this.#outgoing.octetsWireLevel = total;
  }

  snapshot(): Traffic {
    return { outgoing: { ...this.#outgoing }, incoming: { ...this.#incoming } };
  }
}

function newCounters(preopenOctetsWireLevel: number): Counters {
  return {
    octetsWireLevel: 0,
    octetsWebSocketLevel: 0,
    octetsAppLevel: 0,
    webSocketFrames: 0,
    webSocketMessages: 0,
    preopenOctetsWireLevel,
  };
}
