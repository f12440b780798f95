// The server of the README of websocket (theturtle32).
import { createServer } from 'node:http';
import websocket from 'websocket';

const server = createServer((request, response) => {
  response.writeHead(404);
  response.end();
});
server.listen(Number(process.argv[2]), '127.0.0.1');
const wsServer = new websocket.server({ httpServer: server, autoAcceptConnections: true });
wsServer.on('connect', (connection) => {
  connection.on('message', (message) => {
    if (message.type === 'utf8') connection.sendUTF(message.utf8Data);
    else connection.sendBytes(message.binaryData);
  });
});
