import { randomBytes } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import { FrameDecoder } from '../../../protocol/index.ts';
import type { Channel, DeflateOffer } from '../../../transport/index.ts';
import { CheckFailure, fail, pass, skip } from '../check.ts';
import type { Check, CheckContext } from '../check.ts';
import { exchange } from '../exchange.ts';

/** Window that the server is asked for, as base-2 logarithm: 1 KiB. */
const SMALL_WINDOW_BITS = 10;

/** permessage-deflate is accepted, works both ways, and the agreed parameters are kept. */
export const compression: Check = {
  id: 'compression',
  rfc: '7692#7.2',
  title: 'permessage-deflate',
  timeouts: 2,
  async run(context) {
    if (!context.session.input.compression) return skip('not offered; --compression offers it');
    await using channel = await context.dial({ compression: true });
    const { extensions } = channel.handshake;
    if (channel.deflate === undefined) {
      return fail(`the server answered ${extensions === '' ? 'without it' : extensions}`);
    }
    const ratios = await measureRatios(context, channel);
    if (!context.session.echo.echoes) {
      return pass(
        `${extensions}; ${ratios}; the server does not echo, so its own compression is not checked`,
      );
    }
    const kept = [await keepsNoTakeover(context), await keepsSmallWindow(context)];
    return pass([extensions, ratios, ...kept].filter((part) => part !== '').join('; '));
  },
};

/** Typical text of 16 KiB, with which the ratios of the report are measured. */
function sampleText(): Buffer {
  const lines = Array.from({ length: 200 }, (_, index) =>
    JSON.stringify({
      type: 'message',
      id: index * 7919,
      room: `room-${index % 12}`,
      from: `user-${(index * 31) % 57}`,
      text: `a line of talk with number ${index * index} in it`,
    }),
  );
  return Buffer.from(`[${lines.join(',')}]`).subarray(0, 16_384);
}

async function measureRatios(context: CheckContext, channel: Channel): Promise<string> {
  const data = sampleText();
  const { sent, received } = context.session.measurements;
  const before = channel.wire.bytesSent;
  const receivedWire = { bytes: 0 };
  await exchange(context, channel, {
    data,
    send: async () => {
      const written = await channel.sendText(data, { compress: true });
      sent.wire += channel.wire.bytesSent - before;
      sent.payload += data.length;
      return written;
    },
    onEcho: (event) => (receivedWire.bytes += event.wireBytes),
  });
  if (receivedWire.bytes > 0) {
    received.wire += receivedWire.bytes;
    received.payload += data.length;
  }
  const came = receivedWire.bytes === 0 ? '' : ` and came back as ${receivedWire.bytes}`;
  return `${data.length} bytes went as ${sent.wire}${came}`;
}

/** 7.1.1.1: a server that agreed MUST NOT use context takeover. */
async function keepsNoTakeover(context: CheckContext): Promise<string> {
  const channel = await dialWith(context, { serverNoContextTakeover: true });
  if (channel === undefined) return '';
  await using owned = channel;
  const data = Buffer.from(
    'the same text, sent again, tempts a sender to refer back to it. '.repeat(40),
  );
  for (let round = 0; round < 2; round++) {
    // This side resets its window after each message, so a reference to the one before is a
    // violation.
    await exchange(context, owned, { data, send: () => owned.sendText(data, { compress: true }) });
  }
  return 'server_no_context_takeover kept';
}

/** 7.1.2.1: a server that agreed MUST NOT use a larger window. */
async function keepsSmallWindow(context: CheckContext): Promise<string> {
  const decoder = new FrameDecoder();
  const channel = await dialWith(
    context,
    { serverMaxWindowBits: SMALL_WINDOW_BITS, serverNoContextTakeover: true },
    (bytes) => decoder.receive(bytes),
  );
  if (channel === undefined) return '';
  await using owned = channel;
  // The repetition is 4 KiB back, outside a window of 1 KiB.
  const block = randomBytes(2048).toString('hex');
  const data = Buffer.from(block + block);
  await exchange(context, owned, { data, send: () => owned.sendText(data, { compress: true }) });
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
    if (frame.rsv1 && frame.fin) refuseWideWindow(frame.payload);
  }
  return `server_max_window_bits=${SMALL_WINDOW_BITS} kept`;
}

/** Undefined when the server declines the offer, which is allowed. */
async function dialWith(
  context: CheckContext,
  offer: DeflateOffer,
  observe?: (bytes: Buffer) => void,
): Promise<Channel | undefined> {
  const channel = await context.dial({ compression: offer, ...(observe ? { observe } : {}) });
  if (channel.deflate !== undefined) return channel;
  await channel.close();
  return undefined;
}

function refuseWideWindow(deflated: Buffer): void {
  try {
    inflateRawSync(Buffer.concat([deflated, Buffer.from('0000ffff010000ffff', 'hex')]), {
      windowBits: SMALL_WINDOW_BITS,
      // The minimum: zlib checks the size of the window only between two pieces of its output.
      chunkSize: 64,
    });
  } catch (error) {
    throw new CheckFailure(
      `the server agreed to server_max_window_bits=${SMALL_WINDOW_BITS}, but its message does not ` +
        `inflate with that window: ${(error as Error).message}`,
    );
  }
}
