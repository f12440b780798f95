// Rooms as the documentation of Socket.IO 4 has them. Each message holds what one of a generated chat
// server does, without the number that makes a resume possible. REDIS_URL: several share a Redis through the
// adapter that its documentation recommends for new developments, with sharded pub/sub.
import { createServer } from 'node:http';
import { createShardedAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const { REDIS_URL } = process.env;

async function redisAdapter() {
  const publisher = createClient({ url: REDIS_URL });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  return createShardedAdapter(publisher, subscriber);
}

const http = createServer();
const io = new Server(http, {
  ...(REDIS_URL && { adapter: await redisAdapter() }),
  transports: ['websocket'],
  perMessageDeflate: process.env.COMPRESSION === 'permessage-deflate' && { threshold: 1024 },
});
io.on('connection', (socket) => {
  const from = socket.handshake.auth.user ?? 'nobody';
  socket.on('join', (room) => {
    socket.join(room);
    socket.emit('joined', room);
  });
  socket.on('message', ({ room, id, text }) => {
    if (!socket.rooms.has(room)) return;
    io.to(room).emit('message', { room, from, text, at: new Date().toISOString(), id });
  });
});
http.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: http.address().port })));
