import { EnvironmentError } from '../../../core/errors.ts';
import { fail, isLimit, pass, skip, statusOf, warn } from '../check.ts';
import type { Check } from '../check.ts';

/** The server selects one of the offered subprotocols. */
export const subprotocol: Check = {
  id: 'subprotocol',
  rfc: '6455#4.2.2',
  title: 'subprotocol selected',
  run({ session }) {
    const offered = session.input.subprotocols;
    const selected = session.opening.protocol;
    if (offered.length === 0)
      return Promise.resolve(skip('none offered; --subprotocol offers one'));
    const names = offered.join(', ');
    if (selected === null) {
      return Promise.resolve(
        warn(`offered ${names}, the server selected none, so a browser closes the connection`),
      );
    }
    return Promise.resolve(
      offered.includes(selected)
        ? pass(`offered ${names}, selected ${selected}`)
        : fail(`offered ${names}, the server selected ${selected}`),
    );
  },
};

/** A name that no server knows, but a valid token (RFC 6455 section 4.1, item 10). */
const UNKNOWN = 'wsk.unknown.v0';

/**
 * 4.2.2: the value chosen "MUST be derived from the client's handshake", so a server may select the
 * unknown name or none, or refuse, but not another name.
 */
export const subprotocolNotInvented: Check = {
  id: 'subprotocol-not-invented',
  rfc: '6455#4.2.2',
  title: 'no subprotocol invented',
  async run({ dial }) {
    try {
      await using channel = await dial({ protocols: [UNKNOWN] });
      const fields = channel.handshake.protocol;
      if (fields === null) return pass(`offered ${UNKNOWN}, the server selected none`);
      return fields === UNKNOWN
        ? pass(`offered ${UNKNOWN}, the server accepts any name`)
        : fail(`offered ${UNKNOWN}, the server selected ${fields}`);
    } catch (error) {
      if (!(error instanceof EnvironmentError) || !refusesOffer(error)) throw error;
      return pass(`offered ${UNKNOWN}, the server refused the handshake`);
    }
  },
};

/** Whether the server refuses what was asked for: not that it, or a proxy, has a trouble of its own. */
function refusesOffer(error: EnvironmentError): boolean {
  const status = statusOf(error);
  return status !== undefined && status < 500 && !isLimit(error);
}
