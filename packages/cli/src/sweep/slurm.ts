import { spawn } from 'node:child_process';
import { ranges } from './cells.js';

/** Tasks of an array that every Slurm takes (`MaxArraySize` is 1001 unless somebody changed it). */
const MOST_TASKS = 1000;

/** What an array script is made of. */
export interface ArrayScript {
  /** Cells to be run, by number, in order; at least one. */
  readonly missing: readonly number[];
  /** The command, and what comes before `--cell`. */
  readonly command: readonly string[];
  /** The folder that it is run in. */
  readonly folder: string;
  /** Where what its tasks say goes: a file a task. */
  readonly logs: string;
  /** Further options of sbatch, a line each: `--partition=long`. */
  readonly options: readonly string[];
}

/** A script for `sbatch`: a task a cell, or, where there are too many, several cells a task. */
export function arrayScript({ missing, command, folder, logs, options }: ArrayScript): string {
  const tasks = Math.min(missing.length, MOST_TASKS);
  const single = tasks === missing.length && (missing.at(-1) ?? 0) <= MOST_TASKS;
  const run = `${command.map(quoted).join(' ')} --cell`;
  const array = single ? ranges(missing) : `0-${tasks - 1}`;
  const lines = [
    '#!/bin/sh',
    '#SBATCH --job-name=hmm-sweep',
    `#SBATCH --array=${array}`,
    `#SBATCH --output=${logs}/%a.log`,
    ...options.map((option) => `#SBATCH ${option}`),
    `cd ${quoted(folder)} || exit 2`,
  ];
  if (single) return `${[...lines, `exec ${run} "$SLURM_ARRAY_TASK_ID"`].join('\n')}\n`;
  const shares = Array.from({ length: tasks }, (_, task) =>
    missing.filter((_cell, at) => at % tasks === task).join(' '),
  );
  const cases = shares.map((cells, task) => `${task}) cells='${cells}' ;;`);
  return `${[...lines, 'case "$SLURM_ARRAY_TASK_ID" in', ...cases, 'esac', 'bad=0', `for cell in $cells; do ${run} "$cell" || bad=1; done`, 'exit $bad'].join('\n')}\n`;
}

/** Submits a script and waits until all of its tasks are done. @returns what went wrong before that; undefined where nothing did. */
export async function submitAndWait(
  script: string,
  say: (line: string) => void,
): Promise<string | undefined> {
  const child = spawn('sbatch', ['--wait', '--parsable', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let id = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    if (id === '') say(`submitted as job ${String(chunk).trim()}; waiting for it`);
    id += String(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => (errors += String(chunk)));
  return await new Promise((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      resolve(
        error.code === 'ENOENT'
          ? 'sbatch is not there: Slurm is not installed, or not on the PATH'
          : error.message,
      );
    });
    child.on('close', () => {
      // That a task failed is seen by its cell.
      resolve(id === '' ? `sbatch: ${errors.trim()}` : undefined);
    });
  });
}

function quoted(word: string): string {
  return /^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
