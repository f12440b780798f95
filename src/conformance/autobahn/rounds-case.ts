import { Opcode } from '../../protocol/index.ts';
import type { RoundsScript } from '../case.ts';
import type { CaseEvent, ExpectedClose } from '../result.ts';
import { BY_TESTER } from './case-handler.ts';
import type { IncomingMessage } from '../wire/receiver.ts';
import { lengthProblem } from './length-case.ts';
import type { CaseHandler, HandlerVerdict, CaseProtocol } from './case-handler.ts';

/** Sends a message at a time, the next one upon each echo. */
export class RoundsCase implements CaseHandler {
  readonly expectedClose: ExpectedClose = BY_TESTER;
  readonly received: readonly CaseEvent[] = [];
  readonly #script: RoundsScript;
  readonly #p: CaseProtocol;
  readonly #payload: Buffer;
  #sent = 0;
  #verdict: HandlerVerdict;

  constructor(script: RoundsScript, p: CaseProtocol) {
    this.#script = script;
    this.#p = p;
    this.#payload = Buffer.alloc(script.length, script.unit);
    const result = `Case did not finish within ${script.waitS} seconds.`;
    this.#verdict = { behavior: 'FAILED', result };
  }

  start(): void {
    this.#p.log.enable(false);
    this.#p.closeAfter(this.#script.waitS);
    this.#sendOne();
  }

  onMessage(message: IncomingMessage): void {
    const problem = lengthProblem(message, this.#script);
    if (problem !== undefined) {
      this.#finish({ behavior: 'FAILED', result: problem });
    } else if (this.#sent < this.#script.rounds) {
      // Counted by what was sent: of a peer that echoes twice only half as many are waited for.
      this.#sendOne();
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

  #finish(verdict: HandlerVerdict): void {
    this.#verdict = verdict;
    this.#p.log.enable(true);
    this.#p.close(1000);
  }

  #sendOne(): void {
    this.#sent++;
    const opcode = this.#script.binary ? Opcode.binary : Opcode.text;
    this.#p.frame({ do: 'frame', opcode, payload: this.#payload });
  }
}
