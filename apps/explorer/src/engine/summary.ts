import { runFigures } from '@hmm/device';
import { fatalReason, type ProgramRun } from '@hmm/machine';
import {
  bytesBetweenGpus,
  type ClientReport,
  countOf,
  formatBytes,
  formatShare,
  formatTime,
  PART_TEXT,
  summarySentence,
} from '@hmm/report';
import type { NamedEvents } from './event-columns.js';
import { laneOfAll, NOTIFIER_LANE } from './lanes.js';
import type { PaneMachine } from './pane-machine.js';
import type { RunView } from './run-view.js';

/** The report of a run, as the command line makes it. */
export function reportOf(
  { factory, machine, device, gpu, changed }: PaneMachine,
  run: ProgramRun,
): ClientReport {
  const failed = run.failures.map(({ span, seen }) => `line ${span.line}: ${seen}`);
  return {
    client: factory.name,
    gpu,
    release: machine.kernel.release,
    changed,
    error: null,
    fatal: fatalReason(machine),
    failed,
    ...runFigures(machine.counters(device), run),
  };
}

/** The sentence, the causes that it names with an event that shows each, and the figures. */
export function summaryOf(
  report: ClientReport,
  named: NamedEvents,
): Pick<RunView, 'summary' | 'causes' | 'figures'> {
  return { summary: summarySentence(report), causes: causesOf(report, named), figures: figuresOf(report) };
}

/** What shows each part of the time: the longest or first event of one of these lanes. */
const SHOWN_BY: Readonly<Record<keyof ClientReport['time_by_part'], readonly string[]>> = {
  running: ['GPU', 'device page table'],
  fault_wait: ['fault worker', 'GPU faults'],
  copying: ['copy engines'],
  invalidating: [NOTIFIER_LANE],
};

function causesOf(report: ClientReport, named: NamedEvents): { text: string; event: number }[] {
  const parts = (['running', 'fault_wait', 'copying', 'invalidating'] as const)
    .map((part) => ({ part, ns: report.time_by_part[part] }))
    .filter(({ ns }) => ns > 0)
    .sort((a, b) => b.ns - a.ns);
  const causes = [];
  for (const { part, ns } of parts) {
    const event = biggestEvent(named, SHOWN_BY[part]);
    if (event < 0) continue;
    causes.push({
      text: `${formatShare(ns, report.time_ns)} ${PART_TEXT[part].replace(/ \(.*/, '')}`,
      event,
    });
  }
  if (report.throttled + report.pinned > 0) {
    const event = biggestEvent(named, ['thrashing']);
    const text = `thrashing: ${countOf(report.throttled, 'throttling')}, ${countOf(report.pinned, 'page')} pinned`;
    if (event >= 0) causes.unshift({ text, event });
  }
  return causes.slice(0, 3);
}

/** The event of the first of these lanes that has one: the one of most pages, or the longest. */
function biggestEvent({ events, lanes }: NamedEvents, wanted: readonly string[]): number {
  for (const name of wanted) {
    const own = lanes.map((lane) => laneOfAll(lane) === name);
    if (!own.includes(true)) continue;
    let best = -1;
    let most = -1;
    for (let i = 0; i < events.length; i++) {
      if (own[events.lane[i] ?? 0] !== true) continue;
      const size = (events.end[i] ?? 0) - (events.time[i] ?? 0) + (events.pages[i] ?? 0);
      if (size > most) {
        most = size;
        best = i;
      }
    }
    if (best >= 0) return best;
  }
  return -1;
}

/** Bytes that went from one GPU to another, where there are several. */
function betweenGpus(report: ClientReport): { label: string; value: string }[] {
  if (report.by_pair === undefined) return [];
  return [{ label: 'between GPUs', value: formatBytes(bytesBetweenGpus(report)) }];
}

function figuresOf(r: ClientReport): { label: string; value: string }[] {
  return [
    { label: 'time', value: formatTime(r.time_ns) },
    { label: 'GPU faults', value: `${r.faults} in ${countOf(r.batches, 'batch', 'batches')}` },
    { label: 'CPU faults served', value: String(r.cpu_faults) },
    { label: 'to device', value: formatBytes(r.bytes_to_device) },
    { label: 'to host', value: formatBytes(r.bytes_to_host) },
    ...betweenGpus(r),
    { label: 'remote accesses', value: String(r.remote_accesses) },
    { label: 'MMU notifier calls', value: String(r.invalidations) },
    { label: 'retries', value: String(r.retries) },
    { label: 'evicted', value: countOf(r.evicted_pages, 'page') },
    { label: 'thrashing', value: `${r.throttled} throttled, ${r.pinned} pinned` },
  ];
}
