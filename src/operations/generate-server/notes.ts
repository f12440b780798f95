import { MAX_CHAT_PAYLOAD } from '../../generate/answers.ts';
import type { Answers } from '../../generate/answers.ts';
import { LANGUAGES } from '../../generate/languages/index.ts';
import type { Plan } from '../../generate/plan.ts';
import { shellQuote } from '../../core/shell-quote.ts';

/** The next commands in a POSIX shell, in the current folder. */
export function nextCommands(answers: Answers, given: string): string[] {
  const { singleFile, next } = LANGUAGES[answers.language];
  if (answers.form === 'file') return [shellQuote(singleFile.start(given))];
  // A word that starts with a dash would be an option.
  const place = given.startsWith('-') ? `./${given}` : given;
  return [shellQuote(['cd', place]), ...next];
}

interface Run {
  readonly hasWritten: boolean;
  readonly isInterrupted: boolean;
  readonly force: boolean;
}

/** Notes for the user: costs, limits, untouched files. */
export function notesOn(answers: Answers, plan: Plan, run: Run): string[] {
  return [...notesOnWriting(plan, run), ...notesOnAnswers(answers)];
}

function notesOnWriting({ files, orphans }: Plan, run: Run): string[] {
  const notes: string[] = [];
  const differing = files.filter((file) => file.change === 'overwrite').length;
  if (run.isInterrupted) notes.push('interrupted: nothing was written');
  else if (!run.hasWritten) notes.push('dry run: nothing was written');
  else if (files.every((file) => file.change === 'keep')) {
    notes.push('every file is already there with the same content: nothing was written');
  }
  if (!run.hasWritten && differing > 0 && !run.force) {
    notes.push(`existing files with other content: ${differing}; only --force overwrites them`);
  }
  for (const path of orphans) {
    notes.push(`${path} is no longer part of the project, but it was edited and is not removed`);
  }
  return notes;
}

function notesOnAnswers(answers: Answers): string[] {
  const { type, form, subprotocols, maxPayload } = answers;
  const notes: string[] = [];
  if (form === 'file') notes.push(LANGUAGES[answers.language].singleFile.note);
  if (subprotocols.length > 0) {
    notes.push(`${subprotocols.join(', ')}: negotiated by name only; the messages are not changed`);
  }
  if (type === 'chat' && maxPayload > MAX_CHAT_PAYLOAD) {
    notes.push(
      `--max-payload ${maxPayload}: a chat server refuses messages above ${MAX_CHAT_PAYLOAD} bytes`,
    );
  }
  return notes;
}
