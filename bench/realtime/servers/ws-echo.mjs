// A ws server that does nothing but echo, as its README has it. COMPRESSION=permessage-deflate compresses
// with the settings of the generated server.
import { WebSocketServer } from 'ws';

const perMessageDeflate = process.env.COMPRESSION === 'permessage-deflate' && {
  threshold: 1024,
  concurrencyLimit: 10,
  serverNoContextTakeover: true,
  serverMaxWindowBits: 11,
  zlibDeflateOptions: { level: 3, memLevel: 4, chunkSize: 4096 },
  zlibInflateOptions: { chunkSize: 4096 },
};
const server = new WebSocketServer({
  port: 0,
  host: '127.0.0.1',
  backlog: 4096,
  perMessageDeflate,
});
server.on('listening', () => console.log(JSON.stringify({ port: server.address().port })));
server.on('connection', (client) => {
  client.on('error', () => {});
  client.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
});
