import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gridCell, gridSize, type SweepAxis, type SweepCell } from './grid.js';
import { isSweepResult, type SweepResult } from './results.js';

/** A cell that is run by itself, wherever: its id is a hash of all that its result follows from. */
export interface PlannedCell extends SweepCell {
  readonly id: string;
}

/** What `sweep plan` writes. */
export interface SweepPlan {
  readonly axes: readonly SweepAxis[];
  readonly cells: readonly PlannedCell[];
}

/** A plan, or one line on what is wrong. */
export type PlanResult =
  { readonly ok: true; readonly plan: SweepPlan } | { readonly ok: false; readonly message: string };

const VERSION = 1;

/** Axes whose values are files where there is one of that name. */
const FILES = ['what', 'costs'];

/** The id of a cell, of its values and of what is in the files that they name. */
export function cellId({ values }: SweepCell): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(values).sort()) {
    const value = values[name] ?? '';
    hash.update(`${JSON.stringify([name, value])}\n`);
    if (FILES.includes(name) && existsSync(value)) hash.update(readFileSync(value)).update('\n');
  }
  return hash.digest('hex').slice(0, 32);
}

/** The cells of a grid; one line where there are too many. */
export function planCells(axes: readonly SweepAxis[]): SweepPlan | string {
  const size = gridSize(axes);
  if (typeof size === 'string') return size;
  const cells = Array.from({ length: size }, (_, index) => {
    const cell = gridCell(axes, index);
    return { id: cellId(cell), ...cell };
  });
  return { axes, cells };
}

/** Writes a plan: a line with the axes, then one a cell; whole or not at all. */
export function writePlan(path: string, { axes, cells }: SweepPlan): void {
  const lines = [{ version: VERSION, axes }, ...cells].map((line) => JSON.stringify(line));
  writeWhole(path, `${lines.join('\n')}\n`);
}

/** Reads a plan. */
export function readPlan(path: string): PlanResult {
  let lines: string[];
  try {
    lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  } catch {
    return { ok: false, message: `${path}: there is no such file, or it may not be read` };
  }
  const [first, ...rest] = lines.map(parsed);
  if (!isHeader(first))
    return { ok: false, message: `${path}:1: these are no cells of a sweep: "sweep plan" writes some` };
  const cells: PlannedCell[] = [];
  for (const [at, line] of rest.entries()) {
    if (!isCell(line) || line.index !== at)
      return { ok: false, message: `${path}:${at + 2}: expected cell ${at}` };
    cells.push(line);
  }
  return { ok: true, plan: { axes: first.axes, cells } };
}

/** The file of a cell's result in the folder `out`. */
const resultPath = (out: string, { id }: PlannedCell): string => join(out, `${id}.json`);

/** The result of a cell; undefined where it has not been run, or its file is none. */
export function readCell(out: string, cell: PlannedCell): SweepResult | undefined {
  const path = resultPath(out, cell);
  if (!existsSync(path)) return undefined;
  const result = parsed(readFileSync(path, 'utf8'));
  return isSweepResult(result) ? { ...result, index: cell.index } : undefined;
}

/** Keeps the result of a cell, whole or not at all: two who run the same cell do not disturb each other. */
export function writeCell(out: string, cell: PlannedCell, result: SweepResult): void {
  mkdirSync(out, { recursive: true });
  writeWhole(resultPath(out, cell), `${JSON.stringify(result)}\n`);
}

/** Numbers in order as one writes them for people and for Slurm: `0-3,7`. */
export function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < numbers.length;) {
    const from = numbers[i] ?? 0;
    let length = 1;
    while (numbers[i + length] === from + length) length++;
    parts.push(length === 1 ? String(from) : `${from}-${from + length - 1}`);
    i += length;
  }
  return parts.join(',');
}

function writeWhole(path: string, text: string): void {
  const partial = `${path}.${process.pid}`;
  writeFileSync(partial, text);
  renameSync(partial, path);
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isHeader(value: unknown): value is { readonly axes: SweepAxis[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'version' in value &&
    value.version === VERSION &&
    'axes' in value &&
    Array.isArray(value.axes)
  );
}

function isCell(value: unknown): value is PlannedCell {
  return (
    typeof value === 'object' && value !== null && 'id' in value && 'index' in value && 'values' in value
  );
}
