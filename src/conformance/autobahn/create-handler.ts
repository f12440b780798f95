import type { CaseDefinition } from '../case.ts';
import { CompressionCase } from './compression-case.ts';
import { EventCase } from './event-case.ts';
import { LengthCase } from './length-case.ts';
import type { CaseHandler, CaseProtocol, MessageSource } from './case-handler.ts';
import { RoundsCase } from './rounds-case.ts';

/** The handler for a case; `source` yields the messages of one with compression in force. */
export function createHandler(
  { script }: CaseDefinition,
  p: CaseProtocol,
  source: MessageSource | undefined,
): CaseHandler {
  switch (script.kind) {
    case 'events':
      return new EventCase(script, p);
    case 'length':
      return new LengthCase(script, p);
    case 'rounds':
      return new RoundsCase(script, p);
    case 'compression':
      return new CompressionCase(script, p, source);
    case 'exchange':
      throw new TypeError('the folder extended runs its cases itself');
  }
}
