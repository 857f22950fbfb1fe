import { HmmError } from '@hmm/kernel';
import { parseRecorded, type RecordedOperation } from '@hmm/operations';

/** A head line of a corpus: a script begins. */
export interface ScriptHead {
  readonly kind: 'script';
  readonly script: string;
  readonly family: string;
  readonly ops: number;
  /** Whether its operations count. The others are run for what they do to what outlives them. */
  readonly judged: boolean;
}

/** A line of an operation. */
export interface CorpusOperation {
  readonly kind: 'operation';
  /** 0 the parent, 1 the child. */
  readonly process: number;
  /** The operation, words separated by one space. */
  readonly text: string;
  /** The whole line: what it showed stands in further fields. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** The error of a corpus: `line` is counted from 1. */
export function corpusError(line: number, what: string): HmmError {
  return new HmmError('CORPUS', `line ${line}: ${what}`, { line });
}

/** What `read` takes from the words of an operation. @throws HmmError `CORPUS` for words that are none. */
export function inCorpus<T>(line: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof HmmError && error.code === 'OPERATION') throw corpusError(line, error.message);
    throw error;
  }
}

/** The operation that a line of a script names. @throws HmmError `CORPUS` where it names none. */
export function recordedOperation(text: string, line: number): RecordedOperation {
  return inCorpus(line, () => parseRecorded(text, 'scripts'));
}

/**
 * Reads one line of a corpus.
 * @throws HmmError `CORPUS` whose message and `data.line` name the line.
 */
export function parseCorpusRecord(text: string, line: number): ScriptHead | CorpusOperation {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw corpusError(line, `not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw corpusError(line, 'an object is expected');
  const record: Readonly<Record<string, unknown>> = { ...value };
  return 'script' in record ? parseHead(record, line) : parseOperationRecord(record, line);
}

function parseHead(record: Readonly<Record<string, unknown>>, line: number): ScriptHead {
  const { script, family, ops, judged = true } = record;
  if (typeof script !== 'string' || typeof family !== 'string')
    throw corpusError(line, 'a script needs "script" and "family"');
  if (typeof ops !== 'number' || !Number.isInteger(ops) || ops < 0)
    throw corpusError(line, '"ops" must be a count');
  if (typeof judged !== 'boolean') throw corpusError(line, '"judged" must be true or false');
  return { kind: 'script', script, family, ops, judged };
}

function parseOperationRecord(record: Readonly<Record<string, unknown>>, line: number): CorpusOperation {
  const { p, op } = record;
  if (p !== 0 && p !== 1) throw corpusError(line, '"p" must be 0 or 1');
  if (typeof op !== 'string') throw corpusError(line, 'an operation needs "op"');
  return { kind: 'operation', process: p, text: op, record };
}
