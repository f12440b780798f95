import { once } from 'node:events';
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';
import { WebSocket } from 'ws';

/** A client's end of MCP over WebSocket, with no more than the tests need. */
export class SocketTransport implements Transport {
  onmessage: Transport['onmessage'];
  onerror: Transport['onerror'];
  onclose: Transport['onclose'];
  readonly socket: WebSocket;

  constructor(url: string, token?: string) {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    this.socket = new WebSocket(url, 'mcp', { headers });
  }

  async start(): Promise<void> {
    await once(this.socket, 'open');
    this.socket.on('message', (data: Buffer) => {
      this.onmessage?.(JSON.parse(data.toString()) as JSONRPCMessage);
    });
    this.socket.on('close', () => this.onclose?.());
    this.socket.on('error', (error) => this.onerror?.(error));
  }

  send(message: JSONRPCMessage): Promise<void> {
    this.socket.send(JSON.stringify(message));
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.socket.close();
    return Promise.resolve();
  }
}
