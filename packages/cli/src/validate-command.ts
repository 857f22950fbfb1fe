import { formatTable, wrapText } from '@hmm/report';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { type CaptureReader, readCaptures } from './capture-input.js';
import { readInput } from './input.js';
import { costsOption, jsonOption } from './options.js';
import { EXIT_FAILED, EXIT_OK, fail } from './output.js';
import { type ReadRecording, readRecording, recordingsLine } from './recorded-in.js';

/** An event as a report shows it. */
interface EventReport {
  readonly e: string;
  readonly at: number;
  readonly v: number;
  readonly f: number;
}

/** The stable result of a validation. */
export interface ValidationReport {
  readonly version: 1;
  readonly scenarios: number;
  readonly deterministic: number;
  readonly exact: number;
  readonly per_scenario: readonly {
    readonly name: string;
    readonly deterministic: boolean;
    readonly exact: boolean;
    readonly first_difference: {
      readonly index: number;
      readonly expected: EventReport | null;
      readonly got: EventReport | null;
    } | null;
    readonly time_ratio: number;
  }[];
  readonly time?: {
    readonly steps: number;
    readonly median_abs_error: number;
    readonly p90_abs_error: number;
  };
}

/** How a driver model replays captures of the real driver: the functions of its `validate` entry. */
export interface CaptureValidator<
  Run,
  Scenario extends { readonly name: string },
  Times,
  Figures = never,
> extends CaptureReader<Run, Scenario, Times> {
  /** Reads a cost file, where the model takes one. */
  readonly parseCosts?: (
    text: string,
  ) => { readonly ok: true; readonly figures: Figures } | { readonly ok: false; readonly message: string };
  readonly validateScenarios: (
    scenarios: readonly Scenario[],
    options: {
      readonly times?: Times;
      readonly gpu?: string;
      readonly figures?: Figures;
      readonly progress?: (name: string, done: number, of: number) => void;
    },
  ) => ValidationReport;
}

interface ValidateOptions {
  readonly times?: string;
  readonly only?: string;
  readonly costs?: string;
  readonly gpu?: string;
}

/** `validate CAPTURE…`: recordings of the real driver replayed on the model. */
export function validateCommand<Run, Scenario extends { readonly name: string }, Times, Figures = never>(
  validator: CaptureValidator<Run, Scenario, Times, Figures>,
): CommandBuilder {
  return (parent, host, done) => {
    const cmd = jsonOption(
      subcommand(parent, host, 'validate', [
        'validate capture.jsonl.gz',
        'validate capture.jsonl --only read-2m --json',
        'validate capture.jsonl.gz --times times.jsonl.gz',
        'validate capture.jsonl.gz --gpu h200',
      ]),
    )
      .description('replay recordings of the real driver: events, totals, times')
      .argument('<capture...>', 'captures (JSON lines, gzip or plain)')
      .option('--times <file>', 'step durations of more runs, to compare times with their median')
      .option('--gpu <preset>', 'the GPU that was recorded; that which the capture names, else h100')
      .option('--only <text>', 'only scenarios whose name contains this');
    if (validator.parseCosts !== undefined) costsOption(cmd);
    cmd.action(async (files: string[]) => {
      const options = cmd.opts<ValidateOptions & { json: boolean }>();
      const result = await validate(validator, files, options, host);
      if (typeof result === 'string') {
        done(fail(host.output, result));
        return;
      }
      const used = options.times === undefined ? files : [...files, options.times];
      const recordings = await Promise.all(used.map(readRecording));
      host.output.data(
        options.json
          ? `${JSON.stringify({ ...result, recordings })}\n`
          : formatValidation(result, recordings),
      );
      done(result.exact === result.deterministic ? EXIT_OK : EXIT_FAILED);
    });
  };
}

async function validate<Run, Scenario extends { readonly name: string }, Times, Figures>(
  validator: CaptureValidator<Run, Scenario, Times, Figures>,
  files: readonly string[],
  options: ValidateOptions,
  { output }: CommandHost,
): Promise<ValidationReport | string> {
  const timesFiles = options.times === undefined ? [] : [options.times];
  const read = await readCaptures(validator, files, timesFiles, options.only);
  if (!read.ok) return read.message;
  const [times] = read.times;
  let figures: Figures | undefined;
  if (options.costs !== undefined && validator.parseCosts !== undefined) {
    const input = await readInput(options.costs);
    if (!input.ok) return input.message;
    const costs = validator.parseCosts(input.text);
    if (!costs.ok) return `${options.costs}: ${costs.message}`;
    ({ figures } = costs);
  }
  return validator.validateScenarios(read.scenarios, {
    ...(times === undefined ? {} : { times }),
    ...(figures === undefined ? {} : { figures }),
    ...(options.gpu === undefined ? {} : { gpu: options.gpu }),
    progress: (name, at, of) => {
      output.progress(at === of ? '' : `${at} of ${of}: ${name}`);
    },
  });
}

/** A validation for people. */
function formatValidation(report: ValidationReport, recordings: readonly ReadRecording[]): string {
  const rows = report.per_scenario.map((s) => [
    s.name,
    s.deterministic ? (s.exact ? 'exact' : 'differs') : 'not deterministic',
    Number.isFinite(s.time_ratio) ? s.time_ratio.toFixed(2) : '-',
    s.deterministic ? differenceText(s.first_difference) : '',
  ]);
  const { time } = report;
  const summary = `${report.exact} of ${report.deterministic} deterministic scenarios agree event by event (${report.scenarios} scenarios).`;
  const timeText =
    time === undefined
      ? ''
      : ` Step times: median error ${percent(time.median_abs_error)}, 90th percentile ${percent(time.p90_abs_error)} over ${time.steps} steps.`;
  const columns = [
    { title: 'scenario' },
    { title: 'events' },
    { title: 'time', align: 'right' as const },
    { title: 'first difference' },
  ];
  return `${[wrapText(summary + timeText), wrapText(recordingsLine(recordings)), formatTable(columns, rows)].join('\n\n')}\n`;
}

function differenceText(difference: ValidationReport['per_scenario'][number]['first_difference']): string {
  if (difference === null) return '';
  const text = (event: EventReport | null): string =>
    event === null ? 'the end' : `${event.e} at ${event.at} (${event.v}, ${event.f})`;
  return `event ${difference.index}: hardware ${text(difference.expected)}, model ${text(difference.got)}`;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
