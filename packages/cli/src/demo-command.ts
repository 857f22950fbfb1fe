import type { ClientFactory } from '@hmm/device';
import { FIVE_STEPS, formatColumns, formatTable, formatTime, LINE_WIDTH, wrapText } from '@hmm/report';
import { type CommandBuilder, type CommandHost, subcommand } from './cli.js';
import { demoRun, type DemoRun, FIRST_EXAMPLE } from './demo-run.js';
import { EXIT_FAILED, EXIT_OK, fail } from './output.js';

/** A recorded scenario beside what the model makes of it. */
export interface ReplayedScenario {
  readonly name: string;
  readonly exact: boolean;
  /** Events of the hardware and of the model, each in one line, in order. */
  readonly hardware: readonly string[];
  readonly model: readonly string[];
  /** Time of all steps, ns. */
  readonly hardwareNs: number;
  readonly modelNs: number;
}

/** The recording that a demo ends with. */
export interface DemoRecording {
  /** What it is of, in half a sentence. */
  readonly title: string;
  /** Replays it; a text is why it cannot be had. */
  readonly replay: () => Promise<readonly ReplayedScenario[] | string>;
}

const MAX_EVENTS = 10;

/** Drivers as they were in a year, for `demo --year`. */
export interface DemoYear {
  readonly year: string;
  readonly factories: readonly ClientFactory[];
}

/** `demo`: the first example under every driver, then a recording of the real thing; of one of `years`, under the drivers of then. */
export function demoCommand(
  factories: readonly ClientFactory[],
  recording: DemoRecording | undefined,
  years: readonly DemoYear[] = [],
): CommandBuilder {
  return (parent, host, done) => {
    const examples = ['demo', 'demo --gpu p100-2016', ...years.map(({ year }) => `demo --year ${year}`)];
    const cmd = subcommand(parent, host, 'demo', examples)
      .description('the first example step by step under every driver, then a real recording')
      .option('--gpu <preset>', 'GPU for every driver that can do this on it');
    if (years.length > 0)
      cmd.option('--year <year>', `the same as it was then: ${years.map(({ year }) => year).join(', ')}`);
    cmd.action(async () => {
      const { gpu, year } = cmd.opts<{ gpu?: string; year?: string }>();
      if (year !== undefined) {
        done(demoOfYear(years, year, gpu, host));
        return;
      }
      if (gpu !== undefined && !factories.some(({ gpus }) => gpus.includes(gpu))) {
        done(
          fail(host.output, `no driver knows a GPU ${gpu} (GPUs: ${(factories[0]?.gpus ?? []).join(', ')})`),
        );
        return;
      }
      const right = firstExample(factories, gpu, host);
      const replayed = recording === undefined || (await replay(recording, host));
      done(right && replayed ? EXIT_OK : EXIT_FAILED);
    });
  };
}

/** The first example under the drivers of one year. */
function demoOfYear(
  years: readonly DemoYear[],
  year: string,
  gpu: string | undefined,
  host: CommandHost,
): number {
  const of = years.find((one) => one.year === year);
  const known = years.map((one) => one.year).join(', ');
  if (of === undefined) return fail(host.output, `there is no demo of ${year} (years: ${known})`);
  if (gpu !== undefined)
    return fail(host.output, `--gpu is of today: the demo of ${year} has its own device`);
  return firstExample(of.factories, undefined, host) ? EXIT_OK : EXIT_FAILED;
}

function firstExample(
  factories: readonly ClientFactory[],
  gpu: string | undefined,
  host: CommandHost,
): boolean {
  const { output } = host;
  output.data(
    `The first example: the CPU stores 5 in malloc'd memory, the GPU loads it.\n\n${indent(FIRST_EXAMPLE)}\n`,
  );
  const runs: DemoRun[] = [];
  const notes: string[] = [];
  for (const factory of factories) {
    const own = factory.gpus[0] ?? '';
    let run = demoRun(factory, gpu ?? own);
    if (typeof run === 'string' && gpu !== undefined) {
      notes.push(`${factory.name} on ${gpu}: ${run}; shown on ${own}.`);
      run = demoRun(factory, own);
    }
    if (typeof run === 'string') notes.push(`${factory.name} on ${own}: ${run}.`);
    else runs.push(run);
  }
  for (const note of [...notes, ...limits(factories)]) output.data(`${wrapText(note)}\n`);
  output.data(`\n${steps(runs)}\n${events(runs)}\n`);
  for (const run of runs) for (const line of run.log) output.data(`${wrapText(`log: ${line}`)}\n`);
  return runs.length > 0 && runs.every(({ right }) => right);
}

/** Why each driver is not shown on the other's GPU, as it says itself. */
function limits(factories: readonly ClientFactory[]): string[] {
  const lines: string[] = [];
  for (const factory of factories) {
    for (const other of factories) {
      const gpu = other.gpus[0] ?? '';
      if (other === factory || gpu === factory.gpus[0] || !factory.gpus.includes(gpu)) continue;
      const run = demoRun(factory, gpu);
      if (typeof run === 'string') lines.push(`${factory.name} is not shown on ${gpu}: ${run}.`);
    }
  }
  return lines;
}

function steps(runs: readonly DemoRun[]): string {
  const titles = runs.map(({ title }) => title);
  const parts = FIVE_STEPS.map((title, at) => {
    const cells = runs.map((run) => run.steps[at] ?? '');
    const [, , ...lines] = formatColumns(titles, [cells]).split('\n');
    return `${title}\n${lines.join('\n')}\n`;
  });
  return `${formatColumns(titles, [])}\n\n${parts.join('\n')}`;
}

function events(runs: readonly DemoRun[]): string {
  const cells = runs.map((run) => {
    const more = run.events.length - MAX_EVENTS;
    return [...run.events.slice(0, MAX_EVENTS), ...(more > 0 ? [`… and ${more} more`] : [])].join('\n');
  });
  return formatColumns(
    runs.map(() => 'Events since the launch'),
    [cells],
  );
}

async function replay(recording: DemoRecording, host: CommandHost): Promise<boolean> {
  const { output } = host;
  output.data(`\n${'='.repeat(LINE_WIDTH)}\n${wrapText(recording.title)}\n\n`);
  const scenarios = await recording.replay();
  if (typeof scenarios === 'string') {
    output.data(`${wrapText(scenarios)}\n`);
    return true;
  }
  const rows = scenarios.map((s) => [
    s.name,
    String(s.hardware.length),
    String(s.model.length),
    formatTime(s.hardwareNs),
    formatTime(s.modelNs),
    firstDifference(s),
  ]);
  const right = (title: string): { title: string; align: 'right' } => ({ title, align: 'right' });
  const columns = [
    { title: 'scenario' },
    right('events'),
    right('model'),
    right('time'),
    right('model'),
    { title: 'where they differ' },
  ];
  output.data(`${formatTable(columns, rows)}\n`);
  const [first] = scenarios;
  if (first !== undefined) {
    const cells = [first.hardware, first.model].map((lines) => lines.slice(0, MAX_EVENTS).join('\n'));
    output.data(
      `\n${first.name}, the first events:\n\n${formatColumns(['the hardware', 'the model'], [cells])}\n`,
    );
  }
  return true;
}

function firstDifference({ exact, hardware, model }: ReplayedScenario): string {
  if (exact) return 'nowhere: every event agrees';
  const at = hardware.findIndex((line, index) => line !== model[index]);
  const index = at < 0 ? hardware.length : at;
  return `event ${index}: hardware ${hardware[index] ?? 'ends'}, model ${model[index] ?? 'ends'}`;
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}
