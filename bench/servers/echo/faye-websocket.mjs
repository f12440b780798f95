// The server of faye-websocket's README.
import { createServer } from 'node:http';
import WebSocket from 'faye-websocket';

const server = createServer();
server.on('upgrade', (request, socket, body) => {
  if (!WebSocket.isWebSocket(request)) return;
  const ws = new WebSocket(request, socket, body);
  ws.on('message', (event) => ws.send(event.data));
});
server.listen(Number(process.argv[2]), '127.0.0.1');
