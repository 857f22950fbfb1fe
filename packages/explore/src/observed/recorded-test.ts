import { HmmError } from '@hmm/kernel';
import { parseRecorded, type RecordedOperation } from '@hmm/operations';

/** One outcome that a real kernel showed. */
export interface RecordedOutcome {
  /** Results of each thread's operations. */
  readonly threads: readonly (readonly string[])[];
  /** Results of the operations at the end. */
  readonly final: readonly string[];
}

/** A concurrent test that was run on a real kernel, many times. */
export interface RecordedTest {
  readonly name: string;
  /** Runs alone. */
  readonly init: readonly RecordedOperation[];
  /** Run at once. */
  readonly threads: readonly (readonly RecordedOperation[])[];
  /** Runs alone, afterwards. */
  readonly final: readonly RecordedOperation[];
  /** What was seen. */
  readonly outcomes: readonly RecordedOutcome[];
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Reads recordings of concurrent tests: one JSON object a line.
 * @param file the name that errors carry.
 * @throws HmmError `RECORDING` naming file and line.
 */
export function parseRecordedTests(text: string, file: string): RecordedTest[] {
  const tests: RecordedTest[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      tests.push(recordedTest(JSON.parse(line) as Json));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new HmmError('RECORDING', `${file}:${i + 1}: ${why}`, { file, line: i + 1 });
    }
  }
  return tests;
}

function recordedTest(json: Json): RecordedTest {
  return {
    name: text(field(json, 'test')),
    init: operations(field(json, 'init')),
    threads: list(field(json, 'threads')).map(operations),
    final: operations(field(json, 'final')),
    outcomes: list(field(json, 'outcomes')).map((outcome) => ({
      threads: list(field(outcome, 'threads')).map((thread) => list(thread).map(text)),
      final: list(field(outcome, 'final')).map(text),
    })),
  };
}

const operations = (json: Json): RecordedOperation[] =>
  list(json).map((word) => parseRecorded(text(word), 'races'));

function field(json: Json, name: string): Json {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new Error('expected an object');
  const value = Object.entries(json).find(([key]) => key === name);
  if (value === undefined) throw new Error(`there is no "${name}"`);
  return value[1];
}

function list(json: Json): readonly Json[] {
  if (!Array.isArray(json)) throw new Error('expected a list');
  return json as readonly Json[];
}

function text(json: Json): string {
  if (typeof json !== 'string') throw new Error('expected a string');
  return json;
}
