// Each virtual user has a connection and sends on it by an interval.
import { WebSocket } from 'k6/websockets';
import { Trend } from 'k6/metrics';

const { URL, CONNECTIONS, RATE, BYTES, SECONDS } = __ENV;
const roundTrip = new Trend('round_trip', true);

export const options = {
  scenarios: {
    open: { executor: 'per-vu-iterations', vus: Number(CONNECTIONS), iterations: 1 },
  },
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max', 'count'],
};

export default function () {
  const socket = new WebSocket(URL);
  const payload = new Uint8Array(Number(BYTES)).fill(97).buffer;
  const sent = [];
  socket.binaryType = 'arraybuffer';
  socket.onopen = () => {
    const timer = setInterval(
      () => {
        sent.push(Date.now());
        socket.send(payload);
      },
      (1000 * Number(CONNECTIONS)) / Number(RATE),
    );
    setTimeout(
      () => {
        clearInterval(timer);
        socket.close();
      },
      Number(SECONDS) * 1000,
    );
  };
  socket.onmessage = () => roundTrip.add(Date.now() - sent.shift());
}

export function handleSummary({ metrics }) {
  return { stdout: JSON.stringify(metrics.round_trip.values) };
}
