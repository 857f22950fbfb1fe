import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ClientFactory } from '@hmm/device';
import type { Command } from 'commander';
import { type CommandHost, subcommand } from '../cli.js';
import { wholeNumber } from '../options.js';
import { EXIT_FAILED, EXIT_OK, fail, type Output } from '../output.js';
import { runCell } from './cell.js';
import {
  cellId,
  planCells,
  type PlannedCell,
  ranges,
  readCell,
  readPlan,
  type SweepPlan,
  writeCell,
  writePlan,
} from './cells.js';
import type { SweepAxis } from './grid.js';
import type { SweepResult } from './results.js';
import { arrayScript, submitAndWait } from './slurm.js';

/** What the commands on cells are given by `sweep`, whose options they share. */
export interface CellsHost {
  /** `sweep`, below which they stand. */
  readonly parent: Command;
  readonly host: CommandHost;
  readonly done: (code: number) => void;
  readonly factories: readonly ClientFactory[];
  /** The axes of the grid of `what`, by the options of `sweep`. */
  axes(what: readonly string[]): readonly SweepAxis[];
  /** Prints results by the options of `sweep`. */
  show(axes: readonly SweepAxis[], results: readonly SweepResult[]): number;
}

interface CellsOptions {
  readonly cells: string;
  readonly out: string;
}

interface PlanOptions extends CellsOptions {
  readonly slurm?: string;
  readonly sbatch: readonly string[];
  readonly submit: boolean;
}

interface RunOptions extends CellsOptions {
  readonly cell: number;
  readonly again: boolean;
}

/** Adds `sweep plan`, `sweep run` and `sweep collect`: a sweep whose cells are run one by one, on whatever machines. */
export function addCellCommands(sweep: CellsHost): void {
  addPlan(sweep);
  addRun(sweep);
  addCollect(sweep);
}

function cellsCommand({ parent, host }: CellsHost, name: string, examples: readonly string[]): Command {
  return subcommand(parent, { ...host, program: `${host.program} sweep` }, name, examples)
    .option('--cells <file>', 'the cells, a line each', 'cells.jsonl')
    .option('--out <folder>', 'where results are, a file each', 'cells');
}

function addPlan(sweep: CellsHost): void {
  const { done } = sweep;
  const cmd = cellsCommand(sweep, 'plan', [
    'plan pingpong.hmm --over rounds=16..256*2 --over gpu=p100,h100',
    'plan app.hmm --over seed=1..100 --slurm sweep.sbatch --sbatch --time=10',
    'plan app.hmm --over seed=1..100 --slurm sweep.sbatch --submit',
  ])
    .description('write the cells of a sweep, to be run one by one; options as for sweep')
    .argument('<what...>', 'programs, traces, workloads')
    .option('--slurm <script>', 'write a Slurm array script of the cells that have not been run')
    .option('--sbatch <option>', 'a further line of it: --partition=long', addLine, [])
    .option('--submit', 'submit the script, wait for it, and collect', false);
  cmd.action(async (what: string[]) => {
    done(await plan(sweep, what, cmd.opts<PlanOptions>()));
  });
}

/** Writes the cells, and what was asked for besides. */
async function plan(sweep: CellsHost, what: readonly string[], options: PlanOptions): Promise<number> {
  const { output } = sweep.host;
  const missing = what.find((file) => !existsSync(file) && /[./]/.test(file));
  if (missing !== undefined) return fail(output, `${missing}: there is no such file`);
  if (options.submit && options.slurm === undefined)
    return fail(output, '--submit needs --slurm and the name of a script');
  const planned = planCells(sweep.axes(what));
  if (typeof planned === 'string') return fail(output, planned);
  writePlan(options.cells, planned);
  const left = leftOf(planned, options.out);
  output.say(`${options.cells}: ${planned.cells.length} cells, ${left.length} of them to be run`);
  if (options.slurm === undefined) return EXIT_OK;
  writeScript(options.slurm, left, options, output);
  if (!options.submit) return EXIT_OK;
  if (left.length > 0) {
    const problem = await submitAndWait(options.slurm, (line) => {
      output.say(line);
    });
    if (problem !== undefined) return fail(output, problem);
  }
  return collect(sweep, planned, options.out);
}

function writeScript(
  script: string,
  left: readonly PlannedCell[],
  { cells, out, sbatch }: PlanOptions,
  output: Output,
): void {
  if (left.length === 0) {
    output.say('nothing is left to be run: no script is written');
    return;
  }
  const logs = resolve(out, 'logs');
  mkdirSync(logs, { recursive: true });
  const program = process.argv[1] ?? '';
  const command = [
    process.execPath,
    program,
    'sweep',
    'run',
    '--cells',
    resolve(cells),
    '--out',
    resolve(out),
  ];
  const missing = left.map(({ index }) => index);
  writeFileSync(script, arrayScript({ missing, command, folder: process.cwd(), logs, options: sbatch }));
  output.say(`wrote ${script}: sbatch ${script}`);
}

function addRun(sweep: CellsHost): void {
  const { done } = sweep;
  const cmd = cellsCommand(sweep, 'run', ['run --cell 3', 'run --cells cells.jsonl --out cells --cell 3'])
    .description('run one cell and keep its result; once, however often it is called')
    .requiredOption('--cell <n>', 'its number', wholeNumber)
    .option('--again', 'also where it failed before', false);
  cmd.action(async () => {
    done(await runOne(sweep, cmd.opts<RunOptions>()));
  });
}

async function runOne(
  { host: { output }, factories }: CellsHost,
  { cells, out, cell: index, again }: RunOptions,
): Promise<number> {
  const read = readPlan(cells);
  if (!read.ok) return fail(output, read.message);
  const cell = read.plan.cells[index];
  if (cell === undefined) return fail(output, `${cells} has ${read.plan.cells.length} cells, from 0 on`);
  const what = cell.values['what'] ?? '';
  if (cellId(cell) !== cell.id)
    return fail(output, `${what} has changed since the cells were planned: plan them anew`);
  const known = readCell(out, cell);
  const stays = known !== undefined && (known.error === null || !again);
  const result = stays ? known : await runCell(factories, { cell });
  if (!stays) writeCell(out, cell, result);
  if (result.error !== null) output.say(`cell ${index} failed: ${result.error}`);
  return result.error === null ? EXIT_OK : EXIT_FAILED;
}

function addCollect(sweep: CellsHost): void {
  const { host, done } = sweep;
  const cmd = cellsCommand(sweep, 'collect', [
    'collect',
    'collect --json',
    'collect --svg grid.svg',
  ]).description('print the results of the cells as sweep does, and say which are missing');
  cmd.action(() => {
    const { cells, out } = cmd.opts<CellsOptions>();
    const read = readPlan(cells);
    done(read.ok ? collect(sweep, read.plan, out) : fail(host.output, read.message));
  });
}

function collect(sweep: CellsHost, plan: SweepPlan, out: string): number {
  const results = plan.cells.flatMap((cell) => readCell(out, cell) ?? []);
  const left = leftOf(plan, out);
  if (left.length > 0)
    sweep.host.output.say(
      `${left.length} of ${plan.cells.length} cells are missing: ${ranges(left.map(({ index }) => index))}`,
    );
  const shown = sweep.show(plan.axes, results);
  return left.length > 0 && shown === EXIT_OK ? EXIT_FAILED : shown;
}

/** The cells that have no result. */
const leftOf = (plan: SweepPlan, out: string): readonly PlannedCell[] =>
  plan.cells.filter((cell) => readCell(out, cell) === undefined);

const addLine = (line: string, before: readonly string[]): readonly string[] => [...before, line];
