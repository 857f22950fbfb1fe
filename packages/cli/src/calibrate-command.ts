import { statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { formatTable, wrapText } from '@hmm/report';
import { type CaptureReader, readCaptures } from './capture-input.js';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { fileReason } from './input.js';
import { jsonOption } from './options.js';
import { EXIT_OK, fail } from './output.js';

/** Step times of a part of the scenarios. */
interface PartTimes {
  readonly steps: number;
  readonly median_abs_error: number;
  readonly p90_abs_error: number;
}

/** A part of the scenarios, with the shipped figures and with the fitted ones. */
interface PartReport {
  readonly scenarios: number;
  readonly before: PartTimes;
  readonly after: PartTimes;
}

/** The stable result of a calibration. */
export interface CalibrationReport {
  readonly version: 1;
  readonly machine: string;
  readonly gpu: string;
  readonly figures: readonly {
    readonly name: string;
    readonly unit: string;
    readonly shipped: number;
    readonly fitted: number;
    readonly steps: readonly {
      readonly scenario: string;
      readonly step: number;
      readonly op: string;
      /** The part of the step's duration that the figure makes. */
      readonly share: number;
    }[];
    /** `null` where no step constrains it. */
    readonly error: number | null;
  }[];
  readonly fitted: PartReport;
  readonly held: PartReport;
  readonly left_out: number;
}

/** How a driver model finds its figures in captures of the real driver: functions of its `validate` entry. */
export interface CaptureCalibrator<
  Run,
  Scenario extends { readonly name: string },
  Times,
  Calibration extends CalibrationReport,
> extends CaptureReader<Run, Scenario, Times> {
  readonly calibrate: (
    fit: readonly Scenario[],
    held: readonly Scenario[],
    options: {
      readonly times?: readonly Times[];
      readonly gpu?: string;
      readonly machine?: string;
      readonly progress?: (name: string, done: number, of: number) => void;
    },
  ) => Calibration;
  /** The cost file of a calibration, as `--costs` reads it. */
  readonly costFile: (calibration: Calibration) => object;
}

interface CalibrateOptions {
  readonly json: boolean;
  readonly out: string;
  readonly times: readonly string[];
  readonly gpu?: string;
  readonly machine?: string;
}

/** `calibrate CAPTURE…`: the costs of the driver's work on the machine that was recorded. */
export function calibrateCommand<
  Run,
  Scenario extends { readonly name: string },
  Times,
  Calibration extends CalibrationReport,
>(calibrator: CaptureCalibrator<Run, Scenario, Times, Calibration>): CommandBuilder {
  return (parent, host, done) => {
    const cmd = jsonOption(
      subcommand(parent, host, 'calibrate', [
        'calibrate my-gpu.jsonl.gz --out my-gpu.costs.json',
        'calibrate my-gpu.jsonl.gz --times more.times.jsonl.gz --gpu a100 --json',
      ]),
    )
      .description('find what the driver costs on your machine by a recording, for --costs')
      .argument('<capture...>', 'captures (JSON lines, gzip or plain)')
      .option('--out <file>', 'cost file to write', 'costs.json')
      .option('--times <file>', 'step durations of more runs; may be given again', collect, [])
      .option('--gpu <preset>', 'the GPU that was recorded')
      .option('--machine <text>', 'the machine, where the capture does not say');
    cmd.action(async (files: string[]) => {
      done(await calibrate(calibrator, files, cmd.opts<CalibrateOptions>(), host));
    });
  };
}

function collect(file: string, before: readonly string[]): readonly string[] {
  return [...before, file];
}

async function calibrate<
  Run,
  Scenario extends { readonly name: string },
  Times,
  Calibration extends CalibrationReport,
>(
  calibrator: CaptureCalibrator<Run, Scenario, Times, Calibration>,
  files: readonly string[],
  { json, out, times, gpu, machine }: CalibrateOptions,
  { output }: CommandHost,
): Promise<number> {
  const read = await readCaptures(calibrator, files, times);
  if (!read.ok) return fail(output, read.message);
  if (statSync(dirname(out), { throwIfNoEntry: false })?.isDirectory() !== true)
    return fail(output, `${out}: there is no directory ${dirname(out)}`);
  const fit = read.scenarios.filter(({ name }) => isFitted(name));
  const held = read.scenarios.filter(({ name }) => !isFitted(name));
  const result = calibrator.calibrate(fit, held, {
    times: read.times,
    ...(gpu === undefined ? {} : { gpu }),
    ...(machine === undefined ? {} : { machine }),
    progress: (name, at, of) => {
      output.progress(at === of ? '' : `${at} of ${of}: ${name}`);
    },
  });
  try {
    writeFileSync(out, `${JSON.stringify(calibrator.costFile(result), null, 2)}\n`);
  } catch (error) {
    return fail(output, `${out}: ${fileReason(error)}`);
  }
  output.data(json ? `${JSON.stringify(result)}\n` : formatCalibration(result));
  output.say(`${out} is written: use it with --costs ${out}`);
  return EXIT_OK;
}

/** Whether a scenario is of the half that figures are fitted to; the other half says what they are worth. */
export function isFitted(name: string): boolean {
  return ((crc32(name) >>> 3) & 1) === 1;
}

/** Steps named for each figure. */
const NAMED_STEPS = 3;

/** A calibration for people. */
export function formatCalibration(report: CalibrationReport): string {
  const { figures, fitted, held, machine, gpu } = report;
  const known = figures.filter(({ error }) => error !== null);
  const left = figures.filter(({ error }) => error === null).map(({ name }) => name);
  const rows = known.map(({ name, unit, shipped, fitted: value, steps, error }) => [
    name,
    String(shipped),
    String(Number(value.toPrecision(4))),
    unit,
    String(steps.length),
    percent(error ?? NaN),
  ]);
  const titles = ['figure', 'shipped', 'fitted', 'unit', 'steps', 'error'];
  const columns = titles.map((title) => ({
    title,
    ...(title === 'figure' || title === 'unit' ? {} : { align: 'right' as const }),
  }));
  const by = known.map(({ name, steps }) => [name, stepsText(steps)]);
  const paragraphs = [
    `Costs of ${machine} (${gpu}). ${report.left_out} scenarios are left out: their runs differ, or the model's events do.`,
    partText('Fitted to', fitted),
    partText('Held out', held),
  ];
  const unknown =
    left.length === 0 ? '' : `\n${wrapText(`Left as shipped, no step says: ${left.join(', ')}.`)}\n`;
  return `${paragraphs.map((text) => wrapText(text)).join('\n')}\n\n${formatTable(columns, rows)}\n\n${formatTable(
    [{ title: 'figure' }, { title: 'its largest parts' }],
    by,
  )}\n${unknown}`;
}

function partText(title: string, { scenarios, before, after }: PartReport): string {
  if (after.steps === 0) return `${title}: no scenario.`;
  const errors = ({ median_abs_error: median, p90_abs_error: p90 }: PartTimes): string =>
    `${percent(median)} (90th percentile ${percent(p90)})`;
  return `${title}: ${after.steps} steps of ${scenarios} scenarios, median error ${errors(before)} as shipped, ${errors(after)} fitted.`;
}

function stepsText(steps: CalibrationReport['figures'][number]['steps']): string {
  return steps
    .slice(0, NAMED_STEPS)
    .map(({ scenario, op, share }) => `${op} of ${scenario} (${Math.round(100 * share)} %)`)
    .join(', ');
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
