import type { BrokenInvariant } from '@hmm/device';
import type { ClientReport, CompareReport, RunReport } from './client-report.js';
import { formatDiagnosis } from './diagnosis/format-diagnosis.js';
import { outsideOfDevice, PART_TEXT } from './differences.js';
import { FIVE_STEPS } from './five-steps.js';
import { type Column, formatTable, LINE_WIDTH, wrapText } from './table.js';
import { countOf, formatBytes, formatCount, formatShare, formatTime } from './units.js';

const MAX_VALUES = 8;

/** What happened, in one sentence: what it cost, and the biggest part of it. */
export function summarySentence(report: ClientReport): string {
  const { client, time_ns: time } = report;
  if (report.error !== null) return `${client} could not run this to its end: ${report.error}`;
  const parts = (['running', 'fault_wait', 'copying', 'invalidating'] as const)
    .map((part) => ({ part, ns: report.time_by_part[part] }))
    .sort((a, b) => b.ns - a.ns);
  const [most] = parts;
  const largest =
    most === undefined || most.ns === 0
      ? ''
      : `, ${formatShare(most.ns, time)} of the time ${PART_TEXT[most.part]}`;
  const faults = report.faults === 0 ? 'no GPU fault' : countOf(report.faults, 'GPU fault');
  const moved = report.bytes_to_device + report.bytes_to_host + bytesBetweenGpus(report);
  const nothing =
    report.device_memory === false ? 'nothing moved, as it has no memory of its own' : 'nothing moved';
  const traffic = moved === 0 ? nothing : `${formatBytes(moved)} moved`;
  return `${client} on ${report.gpu}: ${formatTime(time)}${largest}; ${faults}, ${traffic}.`;
}

/** Bytes that went from one GPU to another; 0 where there is one. */
export function bytesBetweenGpus({ by_pair: pairs = [] }: Pick<ClientReport, 'by_pair'>): number {
  return pairs.reduce((sum, { from, to, bytes }) => sum + (from === 'cpu' || to === 'cpu' ? 0 : bytes), 0);
}

/** A run for people: the sentence, the counts, the traffic by cause, the values. */
export function formatRun({ program, run, diagnosis }: RunReport): string {
  const parts = [wrapText(diagnosis?.summary ?? summarySentence(run))];
  // A driver that refuses the GPU has nothing to count.
  if (run.error === null || run.time_ns > 0) parts.push(counts([run]));
  for (const part of [traffic([run]), pairs([run])]) if (part !== '') parts.push(part);
  if (diagnosis !== undefined) parts.push(formatDiagnosis(diagnosis));
  const values = valueLines([run]);
  if (values !== '') parts.push(values);
  for (const each of run.broken ?? []) parts.push(brokenText(each));
  for (const text of run.failed) parts.push(wrapText(`assertion does not hold: ${text}`));
  return [
    `${program} under ${run.client}, Linux ${run.release}`,
    ...notes([run]),
    '',
    parts.join('\n\n'),
    '',
  ].join('\n');
}

/** Clients side by side: one column each, then what differs and why. */
export function formatCompare(report: CompareReport): string {
  const { clients, differences } = report;
  const title = `${report.program} on ${clients.map((c) => `${c.client} (${c.gpu}, Linux ${c.release})`).join(', ')}`;
  const parts = [clients.map((c) => wrapText(summarySentence(c))).join('\n'), counts(clients)];
  for (const part of [traffic(clients), pairs(clients), valueLines(clients)])
    if (part !== '') parts.push(part);
  const steps = fiveSteps(clients);
  if (steps !== '') parts.push(steps);
  for (const { client, broken = [] } of clients)
    for (const each of broken) parts.push(`${client}: ${brokenText(each)}`);
  if (report.explicit !== undefined) parts.push(explicitText(report.explicit));
  const why = differences.map(
    ({ what, why: rule }, at) => `${numbered(at + 1, what)}\n${wrapText(rule, 80, '   ')}`,
  );
  parts.push(differences.length === 0 ? 'No difference.' : `What differs, and why\n\n${why.join('\n')}`);
  return [title, ...notes(clients), '', parts.join('\n\n'), ''].join('\n');
}

/** An invariant that a driver broke, and the story of the first time. */
function brokenText({ invariant, detail, story, times }: BrokenInvariant): string {
  const often = times === 1 ? '' : `, ${formatCount(times)} times; the first`;
  const lines = story.map((step, at) => numbered(at + 1, step));
  return [wrapText(`invariant ${invariant} is broken${often}: ${detail}.`), ...lines].join('\n');
}

/** The five steps from a fault to the value, a line each client, where each has taken a fault. */
function fiveSteps(clients: readonly ClientReport[]): string {
  if (clients.some(({ steps }) => steps === undefined)) return '';
  const parts = FIVE_STEPS.map((title, at) => {
    const lines = clients.map(({ client, steps = [] }) =>
      wrapText(`${client}: ${steps[at] ?? ''}`, LINE_WIDTH, '   '),
    );
    return [title, ...lines].join('\n');
  });
  return parts.join('\n');
}

function explicitText({ comparisons, why }: NonNullable<CompareReport['explicit']>): string {
  if (comparisons.length === 0) return wrapText(`No explicit form: ${why}.`);
  return comparisons.map(({ says }) => wrapText(says)).join('\n');
}

function notes(clients: readonly ClientReport[]): string[] {
  return clients.flatMap((c) => [
    ...c.changed.map((text) => wrapText(`note: ${c.client}: ${text}`)),
    ...(c.warnings ?? []).map((text) => wrapText(`warning: ${c.client}: ${text}`)),
  ]);
}

function counts(clients: readonly ClientReport[]): string {
  const row = (title: string, of: (c: ClientReport) => string): string[] => [title, ...clients.map(of)];
  const rows = [
    row('time', (c) => formatTime(c.time_ns)),
    ...(['running', 'fault_wait', 'copying', 'invalidating'] as const).map((part) =>
      row(`  ${PART_TEXT[part].replace(/ \(.*/, '')}`, (c) => formatTime(c.time_by_part[part])),
    ),
    row('  CPU and launches', (c) => formatTime(outsideOfDevice(c))),
    row('GPU faults', (c) => formatCount(c.faults)),
    row('fault batches', (c) => formatCount(c.batches)),
    row('CPU faults served', (c) => formatCount(c.cpu_faults)),
    row('bytes to device', (c) => formatBytes(c.bytes_to_device)),
    row('bytes to host', (c) => formatBytes(c.bytes_to_host)),
    row('remote accesses', (c) => formatCount(c.remote_accesses)),
    row('pages mapped remotely', (c) => formatCount(c.remote_maps)),
    row('MMU notifier calls', (c) => formatCount(c.invalidations)),
    row('retries', (c) => formatCount(c.retries)),
  ];
  return formatTable(columns('', clients), rows);
}

function traffic(clients: readonly ClientReport[]): string {
  const causes = [...new Set(clients.flatMap((c) => Object.keys(c.by_cause)))];
  const rows = causes.flatMap((cause) =>
    (['to_device', 'to_host'] as const)
      .filter((way) => clients.some((c) => (c.by_cause[cause]?.[way] ?? 0) > 0))
      .map((way) => [
        `${cause}, ${way.replace('_', ' ')}`,
        ...clients.map((c) => formatBytes(c.by_cause[cause]?.[way] ?? 0)),
      ]),
  );
  return rows.length === 0 ? '' : formatTable(columns('bytes by cause', clients), rows);
}

/** Bytes by pair of processors, where a client has several GPUs. */
function pairs(clients: readonly ClientReport[]): string {
  const all = clients.flatMap(({ by_pair: found = [] }) => found.map(({ from, to }) => `${from} to ${to}`));
  const rows = [...new Set(all)].map((pair) => [
    pair,
    ...clients.map(({ by_pair: found = [] }) =>
      formatBytes(found.find(({ from, to }) => `${from} to ${to}` === pair)?.bytes ?? 0),
    ),
  ]);
  return rows.length === 0 ? '' : formatTable(columns('bytes by pair', clients), rows);
}

function valueLines(clients: readonly ClientReport[]): string {
  const names = [...new Set(clients.flatMap((c) => Object.keys(c.values)))];
  if (names.length === 0) return '';
  const rows = names.map((name) => [name, ...clients.map((c) => valueText(c.values[name]))]);
  return formatTable(columns('value', clients), rows);
}

function valueText(values: readonly number[] | undefined): string {
  if (values === undefined) return '-';
  const shown = values.slice(0, MAX_VALUES).join(' ');
  return values.length > MAX_VALUES ? `${shown} … (${values.length})` : shown;
}

function columns(title: string, clients: readonly ClientReport[]): Column[] {
  return [{ title }, ...clients.map(({ client }): Column => ({ title: client, align: 'right' }))];
}

/** `3. what.`, its further lines under the text and not under the number. */
function numbered(n: number, what: string): string {
  const number = `${n}. `;
  return number + wrapText(`${what}.`, LINE_WIDTH, ' '.repeat(number.length)).trimStart();
}
