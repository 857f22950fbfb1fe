import { closeSync, openSync, renameSync, writeSync } from 'node:fs';
import { type AccessBatch, AGENT_CPU, NO_TIME } from '@hmm/workload/readers';
import { formatBytes, formatCount, formatTable } from '@hmm/report';
import { type CommandBuilder, subcommand } from './cli.js';
import { jsonOption } from './options.js';
import { EXIT_OK, fail, type Output } from './output.js';
import { formatRecorded } from './recorded-text.js';
import { readFormat, REPORT_HINT } from './subject.js';
import { surveyTrace, type TraceSurvey } from './trace-input.js';

/** The formats, for people. */
const FORMATS = 'lackey, perf, ftrace, Nsight Systems, CUPTI, NVBit, Accel-Sim, oracleGeneral, CSV';

/** `op` by kind of access. */
const OPS = ['r', 'r', 'w', 'a', 'p'];

/** `import TRACE`: what a trace has in it, and the trace in this project's own CSV. */
export function importCommand(): CommandBuilder {
  return (parent, host, done) => {
    const cmd = jsonOption(
      subcommand(parent, host, 'import', ['import app.lackey.gz', 'import app.nsys.sqlite -o app.csv']),
    )
      .description('summarise a recorded trace, and write its accesses as CSV')
      .option('-o, --output <path>', 'CSV file to write')
      .argument('<trace>', FORMATS);
    cmd.action(async (path: string) => {
      const { json, output } = cmd.opts<{ json: boolean; output?: string }>();
      done(await importTrace(path, json, output, host.output));
    });
  };
}

async function importTrace(
  path: string,
  json: boolean,
  to: string | undefined,
  output: Output,
): Promise<number> {
  const format = await readFormat(path);
  if (typeof format === 'object') return fail(output, format.message);
  if (format === 'unknown')
    return fail(
      output,
      `${path}: this is no trace of a known format${path.endsWith('.nsys-rep') ? REPORT_HINT : ` (${FORMATS})`}`,
    );
  const read = await surveyTrace(path, format);
  if (!read.ok) return fail(output, read.message);
  const { survey } = read;
  if (to !== undefined) {
    const problem = writeCsv(to, survey);
    if (problem !== undefined) return fail(output, problem);
  }
  output.data(json ? `${JSON.stringify(surveyJson(path, survey))}\n` : surveyText(path, survey));
  return EXIT_OK;
}

function surveyJson(
  path: string,
  { summary, ranges, cpuAccesses, gpuAccesses, recorded }: TraceSurvey,
): object {
  const { format, compression, bytes, records, events, skipped } = summary;
  return {
    version: 1,
    file: path,
    format,
    compression,
    bytes,
    records,
    events,
    skipped,
    cpu_accesses: cpuAccesses,
    gpu_accesses: gpuAccesses,
    ...(recorded === undefined ? {} : { recorded }),
    ranges: ranges.map(({ page, pages }) => ({ address: `0x${(page * 4096).toString(16)}`, pages })),
  };
}

function surveyText(path: string, survey: TraceSurvey): string {
  const { summary, ranges, cpuAccesses, gpuAccesses } = survey;
  const lines = [
    `${path}: ${summary.format}${summary.compression === 'none' ? '' : `, ${summary.compression}`}`,
    `${formatCount(summary.records)} records, ${formatCount(cpuAccesses)} accesses of CPUs, ${formatCount(gpuAccesses)} of GPUs`,
  ];
  for (const [reason, count] of Object.entries(summary.skipped))
    lines.push(`skipped: ${formatCount(count)} ${reason}`);
  const rows = ranges
    .slice(0, 20)
    .map(({ page, pages }) => [`0x${(page * 4096).toString(16)}`, formatBytes(pages * 4096)]);
  const more = ranges.length > 20 ? `… and ${ranges.length - 20} more\n` : '';
  const table = formatTable([{ title: 'touched' }, { title: 'up to', align: 'right' }], rows);
  const recorded = survey.recorded === undefined ? '' : `\n${formatRecorded(survey.recorded)}\n`;
  return `${lines.join('\n')}\n\n${table}\n${more}${recorded}`;
}

/** The accesses in this project's CSV, whole or not at all. */
function writeCsv(path: string, survey: TraceSurvey): string | undefined {
  const unfinished = `${path}.unfinished`;
  try {
    const file = openSync(unfinished, 'w');
    let timed: boolean | undefined;
    for (const batch of survey.batches()) {
      if (timed === undefined) {
        timed = (batch.time[0] ?? NO_TIME) !== NO_TIME;
        writeSync(file, `addr,size,op,agent,thread${timed ? ',time_ns' : ''}\n`);
      }
      writeSync(file, csvLines(batch, timed));
    }
    closeSync(file);
    renameSync(unfinished, path);
    return undefined;
  } catch (error) {
    return `${path}: this file cannot be written (${error instanceof Error ? error.message : 'unknown error'})`;
  }
}

function csvLines(batch: AccessBatch, timed: boolean): string {
  let text = '';
  for (let i = 0; i < batch.length; i++) {
    const address = (batch.page[i] ?? 0) * 4096 + (batch.offset[i] ?? 0);
    const agent = batch.agent[i] === AGENT_CPU ? 'cpu' : `gpu${(batch.agent[i] ?? 1) - 1}`;
    const time = timed ? `,${Math.max(0, batch.time[i] ?? 0)}` : '';
    text += `0x${address.toString(16)},${batch.size[i] ?? 1},${OPS[batch.kind[i] ?? 1] ?? 'r'},${agent},${batch.thread[i] ?? 0}${time}\n`;
  }
  return text;
}
