import type { LengthScript } from '../case.ts';
import type { CaseEvent, ExpectedClose } from '../result.ts';
import { BY_TESTER } from './case-handler.ts';
import type { IncomingMessage } from '../wire/receiver.ts';
import type { CaseHandler, HandlerVerdict, CaseProtocol } from './case-handler.ts';

/** Sends one large message and looks at the type and length of its echo. */
export class LengthCase implements CaseHandler {
  readonly expectedClose: ExpectedClose = BY_TESTER;
  readonly received: readonly CaseEvent[] = [];
  readonly #script: LengthScript;
  readonly #p: CaseProtocol;
  #verdict: HandlerVerdict;

  constructor(script: LengthScript, p: CaseProtocol) {
    this.#script = script;
    this.#p = p;
    const result = `Did not receive message within ${script.waitS} seconds.`;
    this.#verdict = { behavior: 'FAILED', result };
  }

  start(): void {
    const { send, waitS } = this.#script;
    this.#p.log.enable(false);
    if (send.do === 'frame') this.#p.frame(send);
    else this.#p.message(send);
    this.#p.closeAfter(waitS);
  }

  onMessage(message: IncomingMessage): void {
    const problem = lengthProblem(message, this.#script);
    // As in Autobahn a wrong message does not take back that the right one came.
    this.#verdict =
      problem === undefined
        ? {
            behavior: 'OK',
            result: `Received ${nameOf(message)} message of length ${message.length}.`,
          }
        : { behavior: this.#verdict.behavior, result: problem };
    this.#p.log.enable(true);
    this.#p.close(1000);
  }

  onPong(): void {
    // Not what this case is about.
  }

  verdict(): HandlerVerdict {
    return this.#verdict;
  }
}

/** What is wrong with type or length of an echo, in Autobahn's words. */
export function lengthProblem(
  message: IncomingMessage,
  expected: { readonly binary: boolean; readonly length: number },
): string | undefined {
  const name = expected.binary ? 'binary' : 'text';
  if (message.binary !== expected.binary) {
    return `Expected ${name} message with payload, but got ${nameOf(message)}.`;
  }
  if (message.length === expected.length) return undefined;
  return `Expected ${name} message with payload of length ${expected.length}, but got ${message.length}.`;
}

function nameOf({ binary }: IncomingMessage): string {
  return binary ? 'binary' : 'text';
}
