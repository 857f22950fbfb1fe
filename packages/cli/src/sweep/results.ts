import { appendFileSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import type { SweepAxis, SweepCell } from './grid.js';

/** The figures of a cell that ran. */
export type SweepFigures = Readonly<Record<string, number>>;

/** What became of a cell: its figures, or why it failed. */
export interface SweepResult extends SweepCell {
  readonly error: string | null;
  readonly figures: SweepFigures;
}

/** A results file: the first line says which sweep it is of, each further line is a cell. */
export interface SweepResults {
  readonly axes: readonly SweepAxis[];
  /** By cell number; the last line of a cell counts. */
  readonly results: Map<number, SweepResult>;
}

/** Results, or one line on what is wrong with the file. */
export type ResultsFile =
  ({ readonly ok: true } & SweepResults) | { readonly ok: false; readonly message: string };

/** Starts a results file, or goes on with one of the same sweep; what a kill left of its last line is cut off. */
export function openResults(path: string, axes: readonly SweepAxis[]): ResultsFile {
  if (!existsSync(path)) {
    writeFileSync(path, `${JSON.stringify({ version: 1, axes })}\n`);
    return { ok: true, axes, results: new Map() };
  }
  const whole = readFileSync(path, 'utf8');
  const end = whole.lastIndexOf('\n') + 1;
  const read = readResults(path);
  if (!read.ok) return read;
  if (JSON.stringify(read.axes) !== JSON.stringify(axes)) {
    return {
      ok: false,
      message: `${path}: these are the results of another sweep; name another file with --results`,
    };
  }
  if (end < whole.length) truncateSync(path, Buffer.byteLength(whole.slice(0, end)));
  return read;
}

/** Reads a results file. */
export function readResults(path: string): ResultsFile {
  let lines: string[];
  try {
    lines = readFileSync(path, 'utf8').split('\n');
  } catch {
    return { ok: false, message: `${path}: there is no such file, or it may not be read` };
  }
  // What comes after the last line end was being written when the sweep was killed.
  lines.pop();
  const header = parsed(lines.shift() ?? '');
  if (!isHeader(header)) return { ok: false, message: `${path}:1: this is no results file of a sweep` };
  const results = new Map<number, SweepResult>();
  for (const [at, line] of lines.entries()) {
    const result = parsed(line);
    if (!isSweepResult(result))
      return { ok: false, message: `${path}:${at + 2}: expected the result of a cell` };
    results.set(result.index, result);
  }
  return { ok: true, axes: header.axes, results };
}

/** Adds the result of a cell. */
export function appendResult(path: string, result: SweepResult): void {
  appendFileSync(path, `${JSON.stringify(result)}\n`);
}

/** Results by cell number. */
export function inOrder(results: ReadonlyMap<number, SweepResult>): SweepResult[] {
  return [...results.values()].sort((a, b) => a.index - b.index);
}

/** Results as CSV: a line a cell, the axes first. */
export function resultsCsv(axes: readonly SweepAxis[], results: readonly SweepResult[]): string {
  const names = [...new Set(results.flatMap(({ figures }) => Object.keys(figures)))];
  const lines = results.map((r) =>
    [
      ...axes.map(({ name }) => r.values[name] ?? ''),
      ...names.map((name) => r.figures[name] ?? ''),
      r.error ?? '',
    ]
      .map((value) => quoted(String(value)))
      .join(','),
  );
  return `${[[...axes.map(({ name }) => name), ...names, 'error'].join(','), ...lines].join('\n')}\n`;
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isHeader(value: unknown): value is { readonly version: 1; readonly axes: SweepAxis[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'version' in value &&
    value.version === 1 &&
    'axes' in value &&
    Array.isArray(value.axes)
  );
}

/** Whether a value of unknown origin is what became of a cell. */
export function isSweepResult(value: unknown): value is SweepResult {
  return (
    typeof value === 'object' && value !== null && 'index' in value && 'values' in value && 'figures' in value
  );
}
