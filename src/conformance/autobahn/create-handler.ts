import type { CaseDefinition } from '../case.ts';
import { CompressionPlayer } from './compression-case.ts';
import { EventPlayer } from './event-case.ts';
import { LengthPlayer } from './length-case.ts';
import type { MessageSource } from './message-source.ts';
import type { Player, Stage } from './case-handler.ts';
import { RoundsPlayer } from './rounds-case.ts';

/** The player for a case; `source` yields the messages of one with compression in force. */
export function createPlayer(
  { script }: CaseDefinition,
  stage: Stage,
  source: MessageSource | undefined,
): Player {
  switch (script.kind) {
    case 'events':
      return new EventPlayer(script, stage);
    case 'length':
      return new LengthPlayer(script, stage);
    case 'rounds':
      return new RoundsPlayer(script, stage);
    case 'compression':
      return new CompressionPlayer(script, stage, source);
    case 'exchange':
      throw new TypeError('the folder extended plays its cases itself');
  }
}
