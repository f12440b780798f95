// node bench/load/peers/ws-client.mjs '{"url","connections","depth" or "rate","bytes","seconds"}'
import { WebSocket } from 'ws';

const { url, connections, depth, rate, bytes, seconds } = JSON.parse(process.argv[2]);
const payload = Buffer.alloc(bytes, 'a');
const times = [];

function connect() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const sent = [];
    const send = () => {
      sent.push(performance.now());
      socket.send(payload);
    };
    socket.on('error', reject);
    socket.on('open', () => resolve({ socket, send }));
    socket.on('message', () => {
      times.push(performance.now() - sent.shift());
      if (depth && !over) send();
    });
  });
}

let over = false;
const clients = await Promise.all(Array.from({ length: connections }, connect));
let timer;
if (depth) for (const { send } of clients) for (let i = 0; i < depth; i++) send();
else {
  const start = performance.now();
  let done = 0;
  timer = setInterval(() => {
    const due = ((performance.now() - start) / 1000) * rate;
    for (; done < due; done++) clients[done % connections].send();
  }, 1);
}
setTimeout(() => {
  over = true;
  clearInterval(timer);
  setTimeout(() => {
    times.sort((a, b) => a - b);
    const at = (share) => times[Math.floor(share * times.length)];
    console.log(JSON.stringify({ p50: at(0.5), p95: at(0.95), p99: at(0.99) }));
    process.exit();
  }, 200);
}, seconds * 1000);
