// node bench/load/servers/ws-echo.mjs [port, 0: any]: an echo server on the ws library, as people
// write it. Prints {"port":N,"pids":[...]} when it listens, and at SIGUSR2 what it echoed so far.
import { WebSocketServer } from 'ws';

let messages = 0;
let opened = 0;
const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(process.argv[2] ?? 0),
  backlog: 4096,
  perMessageDeflate: false,
});
server.on('connection', (socket) => {
  opened += 1;
  socket.on('error', () => {});
  socket.on('message', (data, binary) => {
    messages += 1;
    socket.send(data, { binary });
  });
});
server.on('listening', () => {
  console.log(JSON.stringify({ port: server.address().port, pids: [process.pid] }));
});
process.on('SIGUSR2', () => console.log(JSON.stringify({ messages, opened })));
