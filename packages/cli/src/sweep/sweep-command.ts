import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { ClientFactory } from '@hmm/device';
import { formatTime } from '@hmm/report';
import { EXAMPLE_WORKLOAD } from '@hmm/workload/patterns';
import { type Command, InvalidArgumentError } from 'commander';
import { Tinypool } from 'tinypool';
import { type CommandBuilder, type CommandHost, subcommand } from '../cli.js';
import { factoriesWithCosts } from '../costs.js';
import { addSetting, jsonOption, wholeNumber } from '../options.js';
import { EXIT_FAILED, EXIT_OK, fail, type Output } from '../output.js';
import { failed, type SweepJob } from './cell.js';
import { addCellCommands } from './cells-commands.js';
import { gridCell, gridSize, parseAxis, parseShard, type SweepAxis } from './grid.js';
import { heatGrid } from './heat-grid.js';
import {
  appendResult,
  inOrder,
  isSweepResult,
  openResults,
  readResults,
  resultsCsv,
  type SweepResult,
} from './results.js';

interface SweepOptions {
  readonly over: readonly SweepAxis[];
  readonly set: ReadonlyMap<string, string>;
  readonly results: string;
  readonly shard: { readonly part: number; readonly parts: number };
  readonly threads: number;
  readonly retry: boolean;
  /** File of costs of all cells. */
  readonly costs?: string;
  readonly json: boolean;
  readonly svg?: string;
  readonly figure: string;
}

/**
 * `sweep WHAT… --over key=values`: a run for each cell of a grid, on all cores; `sweep merge FILES…`: results of shards as one;
 * `sweep plan`, `sweep run`, `sweep collect`: the same cell by cell, on a cluster.
 * @param worker the application's module whose default export runs a `SweepJob`.
 * @param factories the drivers that it runs them on.
 */
export function sweepCommand(worker: URL, factories: readonly ClientFactory[]): CommandBuilder {
  return (parent, host, done) => {
    const cmd = resultOptions(
      subcommand(parent, host, 'sweep', [
        'sweep pingpong.hmm --over rounds=16..256*2 --over gpu=p100,h100',
        `sweep ${EXAMPLE_WORKLOAD} --over vram=8,16,32 --over seed=1..5 --shard 2/8`,
      ]),
    )
      .description('run a program, a trace or a workload for each cell of a grid, on all cores')
      .option(
        '--over <key=values>',
        'what varies: client, gpu, seed, memory, costs, a parameter or a setting',
        addAxis,
        [],
      )
      .option('--set <key=value>', 'a parameter or a setting of all cells', addSetting, new Map())
      .option('--costs <file>', 'costs of the driver in all cells, as calibrate writes them')
      .option('--results <path>', 'file that cells are added to; a sweep goes on where it was', 'sweep.jsonl')
      .option('--shard <part/parts>', 'only this part of the cells, as for a job array', shardOption, {
        part: 1,
        parts: 1,
      })
      .option('--threads <n>', 'runs at once', wholeNumber, availableParallelism())
      .option('--retry', 'run cells that failed once more', false)
      .argument('<what...>', 'programs, traces, workloads');
    cmd.action(async (what: string[]) => {
      const options = cmd.opts<SweepOptions>();
      const costs = await factoriesWithCosts(factories, options.costs);
      done(costs.ok ? await sweep(what, options, worker, host) : fail(host.output, costs.message));
    });
    addMerge(cmd, host, done);
    addCellCommands({
      parent: cmd,
      host,
      done,
      factories,
      axes: (what) => axesOf(what, cmd.opts<SweepOptions>()),
      show: (axes, results) => show(axes, results, cmd.opts<SweepOptions>(), host.output),
    });
  };
}

/** The options that say how results are shown. */
function resultOptions(cmd: Command): Command {
  return jsonOption(cmd)
    .option('--svg <path>', 'heat grid of the first two axes that vary')
    .option('--figure <name>', 'figure of the heat grid', 'time_ns');
}

function addMerge(cmd: Command, host: CommandHost, done: (code: number) => void): void {
  const merge = resultOptions(
    subcommand(cmd, { ...host, program: `${host.program} sweep` }, 'merge', [
      'merge part-*.jsonl --svg grid.svg',
    ]),
  )
    .description('join the results of the shards of a sweep')
    .argument('<results...>', 'results files');
  merge.action((files: string[]) => {
    // The parent has options of the same names, which take them first.
    done(mergeResults(files, { ...cmd.opts<SweepOptions>(), ...given(merge) }, host.output));
  });
}

function given(cmd: Command): Partial<SweepOptions> {
  const names = Object.keys(cmd.opts()).filter((name) => cmd.getOptionValueSource(name) === 'cli');
  return Object.fromEntries(names.map((name): [string, unknown] => [name, cmd.getOptionValue(name)]));
}

function addAxis(text: string, before: readonly SweepAxis[]): readonly SweepAxis[] {
  const axis = parseAxis(text);
  if (typeof axis === 'string') throw new InvalidArgumentError(axis);
  if (before.some(({ name }) => name === axis.name))
    throw new InvalidArgumentError(`${axis.name} is given twice`);
  return [...before, axis];
}

function shardOption(text: string): { readonly part: number; readonly parts: number } {
  const shard = parseShard(text);
  if (typeof shard === 'string') throw new InvalidArgumentError(shard);
  return shard;
}

/** What the cells of a sweep differ in, and what they have in common. */
function axesOf(what: readonly string[], { set, costs, over }: SweepOptions): readonly SweepAxis[] {
  const fixed = [...set].map(([name, value]) => ({ name, values: [value] }));
  if (costs !== undefined) fixed.push({ name: 'costs', values: [costs] });
  return [{ name: 'what', values: what }, ...fixed, ...over];
}

async function sweep(
  what: readonly string[],
  options: SweepOptions,
  worker: URL,
  { output }: CommandHost,
): Promise<number> {
  const axes = axesOf(what, options);
  const size = gridSize(axes);
  if (typeof size === 'string') return fail(output, size);
  const file = openResults(options.results, axes);
  if (!file.ok) return fail(output, file.message);
  const { results } = file;
  const { part, parts } = options.shard;
  const mine = Array.from({ length: size }, (_, index) => index).filter(
    (index) => index % parts === part - 1,
  );
  const left = mine.filter((index) => {
    const known = results.get(index);
    return known === undefined || (options.retry && known.error !== null);
  });
  if (left.length < mine.length)
    output.say(`${mine.length - left.length} of ${mine.length} cells are done already`);
  const progress = new Progress(output, left.length);
  const pool = new Tinypool({
    filename: worker.href,
    runtime: 'worker_threads',
    minThreads: 1,
    maxThreads: Math.max(1, Math.min(options.threads, left.length)),
  });
  const runOne = async (index: number): Promise<void> => {
    const job: SweepJob = { cell: gridCell(axes, index) };
    const result = await runInPool(pool, job);
    appendResult(options.results, result);
    results.set(index, result);
    progress.done(result);
  };
  await Promise.all(left.map(runOne));
  await pool.destroy();
  return show(axes, inOrder(results), options, output);
}

async function runInPool(pool: Tinypool, job: SweepJob): Promise<SweepResult> {
  try {
    const result: unknown = await pool.run(job);
    return isSweepResult(result) ? result : failed(job.cell, 'the worker gave no result');
  } catch (error) {
    return failed(job.cell, `the worker ended: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Cells done, failures, and how long the rest will take, on the progress line. */
class Progress {
  private readonly output: Output;
  private readonly cells: number;
  private readonly begun = performance.now();
  private finished = 0;
  private failures = 0;

  constructor(output: Output, cells: number) {
    this.output = output;
    this.cells = cells;
  }

  done(result: SweepResult): void {
    this.finished++;
    if (result.error !== null) this.failures++;
    const ms = performance.now() - this.begun;
    const rest = ((this.cells - this.finished) * ms) / this.finished;
    const bad = this.failures === 0 ? '' : `, ${this.failures} failed`;
    this.output.progress(`${this.finished}/${this.cells} cells${bad}, ${formatTime(rest * 1e6)} left`);
  }
}

function mergeResults(files: readonly string[], options: SweepOptions, output: Output): number {
  const all = new Map<number, SweepResult>();
  let axes: readonly SweepAxis[] | undefined;
  for (const path of files) {
    const read = readResults(path);
    if (!read.ok) return fail(output, read.message);
    axes ??= read.axes;
    if (JSON.stringify(axes) !== JSON.stringify(read.axes))
      return fail(output, `${path}: this is a part of another sweep than ${files[0] ?? ''}`);
    for (const [index, result] of read.results) {
      const known = all.get(index);
      if (known === undefined || known.error !== null) all.set(index, result);
    }
  }
  const size = gridSize(axes ?? []);
  const missing = typeof size === 'number' ? size - all.size : 0;
  if (missing > 0) output.say(`${missing} of ${all.size + missing} cells are missing`);
  const shown = show(axes ?? [], inOrder(all), options, output);
  return missing > 0 && shown === EXIT_OK ? EXIT_FAILED : shown;
}

/** Prints the results; fails where a cell did, or where the heat grid cannot be drawn. */
function show(
  axes: readonly SweepAxis[],
  results: readonly SweepResult[],
  { json, svg, figure }: SweepOptions,
  output: Output,
): number {
  output.data(json ? `${JSON.stringify({ version: 1, axes, results })}\n` : resultsCsv(axes, results));
  const bad = results.filter(({ error }) => error !== null);
  if (bad.length > 0)
    output.say(`${bad.length} of ${results.length} cells failed; the first: ${bad[0]?.error ?? ''}`);
  if (svg !== undefined) {
    const [x, y] = axes.filter(({ values }) => values.length > 1);
    if (x === undefined) return fail(output, 'a heat grid needs an axis with more than one value');
    writeFileSync(svg, heatGrid(x, y ?? { name: 'what', values: axes[0]?.values ?? [''] }, figure, results));
  }
  return bad.length === 0 ? EXIT_OK : EXIT_FAILED;
}
