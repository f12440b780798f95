import {
  isOfCommands,
  MAX_COMMAND_BYTES,
  OWN_SUBPROTOCOLS,
  protocolsOf,
} from '../../generate/answers.ts';
import type { Answers } from '../../generate/answers.ts';
import { LANGUAGES } from '../../generate/languages/index.ts';
import { commandsIn, notesOnWriting } from '../../generate/output.ts';
import type { Writing } from '../../generate/output.ts';
import type { Plan } from '../../generate/plan.ts';
import { shellQuote } from '../../core/shell-quote.ts';

/** The next commands in a POSIX shell, in the current folder. */
export function nextCommands(answers: Answers, given: string): string[] {
  const { singleFile, next } = LANGUAGES[answers.language];
  return answers.form === 'file' ? [shellQuote(singleFile.start(given))] : commandsIn(given, next);
}

/** Notes for the user: costs, limits, untouched files. */
export function notesOn(answers: Answers, plan: Plan, run: Writing): string[] {
  return [...notesOnWriting(plan, run), ...notesOnAnswers(answers)];
}

function notesOnAnswers(answers: Answers): string[] {
  const { language, type, form, subprotocols, maxPayload } = answers;
  const notes = [...answers.notes];
  if (form === 'file') notes.push(LANGUAGES[answers.language].singleFile.note);
  if (!answers.serverNoContextTakeover && language === 'go') {
    notes.push(`a server in ${language} compresses each message on its own all the same`);
  }
  const spoken = [...OWN_SUBPROTOCOLS[type], ...protocolsOf(answers)];
  const foreign = subprotocols.filter((name) => !spoken.includes(name));
  if (foreign.length > 0) {
    notes.push(`${foreign.join(', ')}: negotiated by name only; the messages are not changed`);
  }
  if (isOfCommands(type) && maxPayload > MAX_COMMAND_BYTES) {
    notes.push(
      `--max-payload ${maxPayload}: a ${type} server refuses messages above ${MAX_COMMAND_BYTES} bytes`,
    );
  }
  return notes;
}
