// Each virtual user has a connection and keeps DEPTH messages in flight on it.
import { WebSocket } from 'k6/websockets';
import { Trend } from 'k6/metrics';

const { URL, CONNECTIONS, DEPTH, BYTES, SECONDS } = __ENV;
const roundTrip = new Trend('round_trip', true);

export const options = {
  scenarios: {
    closed: { executor: 'per-vu-iterations', vus: Number(CONNECTIONS), iterations: 1 },
  },
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max', 'count'],
};

export default function () {
  const socket = new WebSocket(URL);
  const payload = new Uint8Array(Number(BYTES)).fill(97).buffer;
  const sent = [];
  const send = () => {
    sent.push(Date.now());
    socket.send(payload);
  };
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    for (let i = 0; i < Number(DEPTH); i++) send();
    setTimeout(() => socket.close(), Number(SECONDS) * 1000);
  };
  socket.onmessage = () => {
    roundTrip.add(Date.now() - sent.shift());
    send();
  };
}

export function handleSummary({ metrics }) {
  return { stdout: JSON.stringify(metrics.round_trip.values) };
}
