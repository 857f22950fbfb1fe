import { HmmError } from '@hmm/kernel';
import { parseRecorded, type RecordedOperation } from '@hmm/operations';
import { type Shown } from '@hmm/operations/internal';

/** An invalidation: event, process whose mm it is, region, first page, pages. */
export type RecordedInvalidation = readonly [string, number, number, number, number];

/** What an operation showed; fields that it does not have are left out. */
export interface Observation extends Shown {
  readonly inv?: readonly RecordedInvalidation[];
}

/** A head line of a corpus: a script begins. */
export interface ScriptHead {
  readonly kind: 'script';
  readonly script: string;
  readonly family: string;
  readonly ops: number;
  /** Whether its operations count. The others are run for what they do to the devices. */
  readonly judged: boolean;
}

/** A line of an operation. */
export interface OperationLine {
  readonly kind: 'operation';
  /** 0 the parent, 1 the child. */
  readonly process: number;
  readonly text: string;
  readonly operation: RecordedOperation;
  readonly expected: Observation;
}

function fail(line: number, what: string): never {
  throw new HmmError('CORPUS', `line ${line}: ${what}`, { line });
}

/**
 * Reads one line of a corpus.
 * @throws HmmError `CORPUS` whose message and `data.line` name the line.
 */
export function parseCorpusLine(text: string, line: number): ScriptHead | OperationLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    fail(line, `not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    fail(line, 'an object is expected');
  const record: Readonly<Record<string, unknown>> = { ...value };
  return 'script' in record ? parseHead(record, line) : parseOperationLine(record, line);
}

function parseHead(record: Readonly<Record<string, unknown>>, line: number): ScriptHead {
  const { script, family, ops, judged = true } = record;
  if (typeof script !== 'string' || typeof family !== 'string')
    fail(line, 'a script needs "script" and "family"');
  if (typeof ops !== 'number' || !Number.isInteger(ops) || ops < 0) fail(line, '"ops" must be a count');
  if (typeof judged !== 'boolean') fail(line, '"judged" must be true or false');
  return { kind: 'script', script, family, ops, judged };
}

function parseOperationLine(record: Readonly<Record<string, unknown>>, line: number): OperationLine {
  const { p, op } = record;
  if (p !== 0 && p !== 1) fail(line, '"p" must be 0 or 1');
  if (typeof op !== 'string') fail(line, 'an operation needs "op"');
  const expected = observationOf(record, line);
  return { kind: 'operation', process: p, text: op, operation: operationOf(op, line), expected };
}

function operationOf(text: string, line: number): RecordedOperation {
  try {
    return parseRecorded(text, 'scripts');
  } catch (error) {
    if (error instanceof HmmError && error.code === 'OPERATION') fail(line, error.message);
    throw error;
  }
}

const isInteger = (value: unknown): value is number => Number.isInteger(value);
const isValue = (value: unknown): value is number | string => isInteger(value) || typeof value === 'string';

function isInvalidation(value: unknown): value is RecordedInvalidation {
  if (!Array.isArray(value) || value.length !== 5) return false;
  const items: readonly unknown[] = value;
  const [event, ...numbers] = items;
  return typeof event === 'string' && numbers.every(isInteger);
}

function observationOf(record: Readonly<Record<string, unknown>>, line: number): Observation {
  const { v, sig, inv } = record;
  const observation: { -readonly [K in keyof Observation]: Observation[K] } = {};
  for (const name of ['rc', 'cpages', 'faults'] as const) {
    const field = record[name];
    if (field === undefined) continue;
    if (!isInteger(field)) fail(line, `"${name}" must be an integer`);
    observation[name] = field;
  }
  if (v !== undefined) observation.v = listOf(v, isValue, 'v', line);
  if (sig !== undefined) observation.sig = listOf(sig, isInteger, 'sig', line);
  if (inv !== undefined) observation.inv = listOf(inv, isInvalidation, 'inv', line);
  return observation;
}

function listOf<T>(
  value: unknown,
  is: (item: unknown) => item is T,
  name: string,
  line: number,
): readonly T[] {
  if (!Array.isArray(value)) fail(line, `"${name}" must be a list`);
  const items: unknown[] = value;
  if (!items.every(is)) fail(line, `"${name}" holds something that it may not`);
  return items;
}
