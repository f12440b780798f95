import type { CompressionScript } from '../case.ts';
import type { CaseEvent, ExpectedClose } from '../result.ts';
import { BY_TESTER } from './case-handler.ts';
import type { IncomingMessage } from '../wire/receiver.ts';
import type { CaseHandler, CaseProtocol, HandlerVerdict, MessageSource } from './case-handler.ts';

/** Sends compressed messages, each after the echo of the one before, and compares every octet. */
export class CompressionCase implements CaseHandler {
  readonly expectedClose: ExpectedClose = BY_TESTER;
  readonly received: readonly CaseEvent[] = [];
  readonly #script: CompressionScript;
  readonly #p: CaseProtocol;
  readonly #source: MessageSource | undefined;
  #sent = 0;
  #plain: Buffer | undefined;
  #verdict: HandlerVerdict;

  /** Without `source` the peer did not agree to compress. */
  constructor(script: CompressionScript, p: CaseProtocol, source: MessageSource | undefined) {
    this.#script = script;
    this.#p = p;
    this.#source = source;
    this.#verdict =
      source === undefined
        ? { behavior: 'UNIMPLEMENTED', result: 'The peer did not agree to permessage-deflate.' }
        : { behavior: 'FAILED', result: `Case did not finish within ${script.waitS} seconds.` };
  }

  start(): void {
    this.#p.log.enable(false);
    if (this.#source === undefined) {
      this.#p.log.enable(true);
      this.#p.close(1000);
      return;
    }
    this.#p.closeAfter(this.#script.waitS);
    this.#sendOne(this.#source);
  }

  onMessage(message: IncomingMessage): void {
    const source = this.#source;
    const problem = this.#problemOf(message);
    if (problem !== undefined || source === undefined) {
      this.#finish({
        behavior: 'FAILED',
        result: `Echo'ed message ${problem ?? 'contents'} differs from what I sent.`,
      });
    } else if (this.#sent < this.#script.rounds) {
      this.#sendOne(source);
    } else {
      this.#finish({ behavior: 'OK', result: "Ok, received all echo'ed messages in time." });
    }
  }

  onPong(): void {
    // Not what this case is about.
  }

  verdict(): HandlerVerdict {
    return this.#verdict;
  }

  #problemOf(message: IncomingMessage): 'type' | 'length' | 'contents' | undefined {
    const plain = this.#plain;
    if (plain === undefined) return 'contents';
    if (message.binary !== this.#source?.binary) return 'type';
    if (message.length !== plain.length) return 'length';
    return message.payload.equals(plain) ? undefined : 'contents';
  }

  #finish(verdict: HandlerVerdict): void {
    this.#verdict = verdict;
    this.#plain = undefined;
    this.#p.log.enable(true);
    this.#p.close(1000);
  }

  #sendOne(source: MessageSource): void {
    const { plain, deflated } = source.message(this.#sent++);
    this.#plain = plain;
    this.#p.deflated({
      deflated,
      binary: source.binary,
      fragmentBytes: this.#script.fragmentBytes,
      length: plain.length,
    });
  }
}
