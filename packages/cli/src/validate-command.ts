import { formatTable, wrapText } from '@hmm/report';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { readInput } from './input.js';
import { jsonOption } from './options.js';
import { EXIT_FAILED, EXIT_OK, fail } from './output.js';

/** What a text is wrong about. */
interface TextError {
  readonly ok: false;
  readonly line: number;
  readonly column?: number;
  readonly message: string;
}

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
export interface CaptureValidator<Run, Scenario extends { readonly name: string }, Times> {
  readonly parseCapture: (text: string) => { readonly ok: true; readonly runs: readonly Run[] } | TextError;
  readonly scenariosOf: (runs: readonly Run[]) => readonly Scenario[];
  readonly parseTimes: (text: string) => { readonly ok: true; readonly times: Times } | TextError;
  readonly validateScenarios: (
    scenarios: readonly Scenario[],
    options: {
      readonly times?: Times;
      readonly progress?: (name: string, done: number, of: number) => void;
    },
  ) => ValidationReport;
}

/** `validate CAPTURE…`: recordings of the real driver replayed on the model. */
export function validateCommand<Run, Scenario extends { readonly name: string }, Times>(
  validator: CaptureValidator<Run, Scenario, Times>,
): CommandBuilder {
  return (parent, host, done) => {
    const cmd = jsonOption(
      subcommand(parent, host, 'validate', [
        'validate capture.jsonl.gz',
        'validate capture.jsonl --only read-2m --json',
        'validate capture.jsonl.gz --times times.jsonl.gz',
      ]),
    )
      .description('replay recordings of the real driver: events, totals, times')
      .argument('<capture...>', 'captures (JSON lines, gzip or plain)')
      .option('--times <file>', 'step durations of more runs, to compare times with their median')
      .option('--only <text>', 'only scenarios whose name contains this');
    cmd.action(async (files: string[]) => {
      const options = cmd.opts<{ json: boolean; times?: string; only?: string }>();
      const result = await validate(validator, files, options, host);
      if (typeof result === 'string') {
        done(fail(host.output, result));
        return;
      }
      host.output.data(options.json ? `${JSON.stringify(result)}\n` : formatValidation(result));
      done(result.exact === result.deterministic ? EXIT_OK : EXIT_FAILED);
    });
  };
}

async function validate<Run, Scenario extends { readonly name: string }, Times>(
  validator: CaptureValidator<Run, Scenario, Times>,
  files: readonly string[],
  options: { readonly times?: string; readonly only?: string },
  host: CommandHost,
): Promise<ValidationReport | string> {
  const runs: Run[] = [];
  for (const file of files) {
    const parsed = await readAs(file, validator.parseCapture);
    if (!parsed.ok) return parsed.message;
    runs.push(...parsed.runs);
  }
  let times: Times | undefined;
  if (options.times !== undefined) {
    const parsed = await readAs(options.times, validator.parseTimes);
    if (!parsed.ok) return parsed.message;
    times = parsed.times;
  }
  const scenarios = validator.scenariosOf(runs).filter(({ name }) => name.includes(options.only ?? ''));
  if (scenarios.length === 0) return `${files.join(', ')}: no scenario ${named(options.only)}`;
  const { output } = host;
  return validator.validateScenarios(scenarios, {
    ...(times === undefined ? {} : { times }),
    progress: (name, at, of) => {
      output.progress(at === of ? '' : `${at} of ${of}: ${name}`);
    },
  });
}

function named(only: string | undefined): string {
  return only === undefined ? 'is in there' : `has ${only} in its name`;
}

/** Reads and parses a file; an error's message begins with file, line and column. */
async function readAs<T extends { readonly ok: true }>(
  file: string,
  parse: (text: string) => T | TextError,
): Promise<T | { readonly ok: false; readonly message: string }> {
  const input = await readInput(file);
  if (!input.ok) return input;
  const parsed = parse(input.text);
  if (parsed.ok) return parsed;
  const column = parsed.column === undefined ? '' : `:${parsed.column}`;
  return { ok: false, message: `${file}:${parsed.line}${column}: ${parsed.message}` };
}

/** A validation for people. */
export function formatValidation(report: ValidationReport): string {
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
  return `${wrapText(summary + timeText)}\n\n${formatTable(columns, rows)}\n`;
}

function differenceText(difference: ValidationReport['per_scenario'][number]['first_difference']): string {
  if (difference === null) return '';
  const text = (event: EventReport | null): string =>
    event === null ? 'the end' : `${event.e} at ${event.at} (${event.v}, ${event.f})`;
  return `event ${difference.index}: hardware ${text(difference.expected)}, model ${text(difference.got)}`;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
