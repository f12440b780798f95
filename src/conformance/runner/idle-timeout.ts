import type { CaseResult } from '../result.ts';

/** Seconds without an octet after which a peer is not waited for any longer. */
const IDLE_TIMEOUT_S = 30;

/** The same for a peer that has shown that it does not echo. */
const MUTE_TIMEOUT_S = 3;

/** Cases in which the peer was silent for that long. */
const SILENCES = 3;

/**
 * How long a silent peer is waited for: long, unless it never echoed anything or has been silent
 * before. Otherwise a peer that does not echo would keep a run for hours.
 */
export class IdleTimeout {
  #messages = 0;
  #fruitless = 0;
  #silences = 0;

  note(result: CaseResult): void {
    if (result.guard !== null && result.reportTime) this.#silences++;
    const echoed =
      result.received.some(({ type }) => type === 'message') ||
      (result.reportTime && result.behavior === 'OK');
    if (echoed) this.#messages++;
    else if (expectsMessage(result)) this.#fruitless++;
  }

  get timeoutS(): number {
    const mute = this.#messages === 0 && this.#fruitless >= SILENCES;
    return mute || this.#silences >= SILENCES ? MUTE_TIMEOUT_S : IDLE_TIMEOUT_S;
  }
}

function expectsMessage({ expected, opened }: CaseResult): boolean {
  return opened && expected.OK?.some(({ type }) => type === 'message') === true;
}
