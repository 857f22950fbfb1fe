import type { RecordedPart } from '../part.js';
import type { Shows } from './shown.js';
import type { RecordedWords } from './words.js';

/** Where a line may stand: in recorded scripts, in recorded tests of races, or in both. */
export type RecordedIn = 'scripts' | 'races' | 'both';

/** How an operation is recorded and parsed back. `A` is what the operation gets. */
export interface RecordedLine<A extends object> {
  /** The first word. */
  readonly word: string;
  readonly in: RecordedIn;
  /** How what it returned is told. */
  readonly shows: Shows;
  read(words: RecordedWords): A;
  write(args: A): string;
}

export type Both<T> = (T extends unknown ? (value: T) => void : never) extends (value: infer I) => void
  ? I
  : never;
export type ValueOf<R> = R extends RecordedPart<infer V> ? V : never;

/** What the parts of a line give together. */
export type LineValue<R extends readonly RecordedPart<object>[]> = Both<ValueOf<R[number]>> & object;

/**
 * The line that begins with `word` and has the `parts` in this order; `given` is what the operation gets besides, and `shows`
 * tells how what it returned is told.
 */
export function line<const R extends readonly RecordedPart<object>[], const G extends object>(
  word: string,
  parts: R,
  given: G,
  shows: Shows,
  within: RecordedIn = 'both',
): RecordedLine<LineValue<R> & G> {
  return {
    word,
    in: within,
    shows,
    read(words) {
      const args: object = { ...given };
      for (const each of parts) Object.assign(args, each.readRecorded(words));
      // Every part has added its fields.
      return args as LineValue<R> & G;
    },
    write: (args) =>
      [word, ...parts.map((each) => each.writeRecorded(args))].filter((text) => text !== '').join(' '),
  };
}
