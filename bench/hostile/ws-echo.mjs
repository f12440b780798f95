// A ws server as its README has it, with the compression that the generated servers have on.
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true });
server.on('listening', () => console.log(JSON.stringify({ port: server.address().port })));
server.on('connection', (client) => {
  client.on('error', () => {});
  client.on('message', (data, binary) => client.send(data, { binary }));
});
