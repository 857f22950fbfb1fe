import { HmmError } from '@hmm/kernel';
import type { AnyOperation, BoundOperation } from '../definition.js';
import type { Outcome } from '../outcome.js';
import { OPERATIONS, RECORDED_OPERATIONS } from '../table.js';
import type { RecordedIn, RecordedLine } from './line.js';
import type { Shown } from './shown.js';
import { RecordedWords } from './words.js';

/** Which recordings an operation is parsed for: scripts, which are run alone, or tests of races. */
export type RecordedForm = Exclude<RecordedIn, 'both'>;

/** A recorded operation. */
export interface RecordedOperation extends BoundOperation {
  /** The line that it was read from. */
  readonly line: RecordedLine<object>;
}

interface Entry {
  readonly definition: AnyOperation;
  readonly line: RecordedLine<object>;
}

function entriesOf(form: RecordedForm): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  const all: readonly AnyOperation[] = [...OPERATIONS, ...RECORDED_OPERATIONS];
  for (const definition of all) {
    for (const line of definition.recorded) {
      if (line.in !== 'both' && line.in !== form) continue;
      if (entries.has(line.word))
        throw new HmmError('TWO_LINES', `two operations are recorded as ${line.word}`, { word: line.word });
      entries.set(line.word, { definition, line });
    }
  }
  return entries;
}

const ENTRIES: Readonly<Record<RecordedForm, ReadonlyMap<string, Entry>>> = {
  scripts: entriesOf('scripts'),
  races: entriesOf('races'),
};

/**
 * Reads an operation as recordings write it: words separated by one space, such as `todev 0 1 7 1`.
 * @throws HmmError `OPERATION` when it is none.
 */
export function parseRecorded(text: string, form: RecordedForm): RecordedOperation {
  const words: RecordedWords = new RecordedWords(text);
  const word = words.word();
  const entry = ENTRIES[form].get(word);
  if (entry === undefined) words.fail(`unknown operation "${word}"`);
  const { definition, line } = entry;
  const args = line.read(words);
  words.end();
  return { definition, args, line };
}

/** The text that {@link parseRecorded} reads as this operation. */
export function formatRecorded({ line, args }: RecordedOperation): string {
  return line.write(args);
}

/** What a script's line shows of an outcome. */
export function shownOutcome({ line }: RecordedOperation, outcome: Outcome): Shown {
  return line.shows.script(outcome);
}

/** An outcome in the one word that tests of races have for it. */
export function outcomeWord({ line }: RecordedOperation, outcome: Outcome): string {
  return line.shows.word(outcome);
}
