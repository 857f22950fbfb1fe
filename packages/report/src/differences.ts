import type { ClientReport, Difference } from './client-report.js';
import { countOf, formatBytes, formatRatio, formatTime } from './units.js';

/** The topics on which drivers differ; a driver's rules are a sentence each. */
export type Topic =
  | 'gpuFault'
  | 'firstTouch'
  | 'cpuFault'
  | 'granularity'
  | 'sharing'
  | 'oversubscription'
  | 'atomics'
  | 'fork'
  | 'hints'
  | 'badAddress';

/** One driver's rules by topic. */
export type Rules = Readonly<Record<Topic, string>>;

/** What a program does that decides which rule explains a difference. */
export interface ProgramTraits {
  /** A process forks. */
  readonly forks: boolean;
  /** The GPU does atomics. */
  readonly gpuAtomics: boolean;
}

const NO_TRAITS: ProgramTraits = { forks: false, gpuAtomics: false };

/** Bytes moved towards the device because the program asked. */
const asked = (r: ClientReport): number => r.by_cause['user']?.to_device ?? 0;

/** How a measure is looked at. */
interface Measure {
  readonly topic: Topic;
  readonly of: (report: ClientReport) => number;
  readonly say: (value: number, report: ClientReport) => string;
  /** Clients differ when the larger is more than so many times the smaller, or the smaller is 0. */
  readonly factor: number;
}

const MEASURES: readonly Measure[] = [
  {
    topic: 'gpuFault',
    of: (r) => r.bytes_to_device - asked(r),
    say: (v) => (v === 0 ? 'moved nothing to the device' : `moved ${formatBytes(v)} to the device`),
    factor: 1,
  },
  {
    topic: 'hints',
    of: asked,
    say: (v) => (v === 0 ? 'moved nothing when asked to' : `moved ${formatBytes(v)} when asked to`),
    factor: 1,
  },
  {
    topic: 'firstTouch',
    of: (r) => Math.max(0, r.bytes_to_host - r.bytes_to_device),
    say: (v) =>
      v === 0
        ? 'brought home no more than it had moved away'
        : `brought home ${formatBytes(v)} that had never been on the host`,
    factor: 1,
  },
  {
    topic: 'gpuFault',
    of: (r) => r.remote_accesses,
    say: (v) =>
      v === 0 ? 'reached nothing over the link' : `made ${countOf(v, 'access', 'accesses')} over the link`,
    factor: 1.5,
  },
  {
    topic: 'cpuFault',
    of: (r) => r.bytes_to_host,
    say: (v) => (v === 0 ? 'brought nothing back' : `brought ${formatBytes(v)} back to the host`),
    factor: 1,
  },
  {
    topic: 'granularity',
    of: (r) => r.faults,
    say: (v, r) => `took ${countOf(v, 'GPU fault')} in ${countOf(r.batches, 'batch', 'batches')}`,
    factor: 1.5,
  },
  {
    topic: 'cpuFault',
    of: (r) => r.cpu_faults,
    say: (v) => `served ${countOf(v, 'CPU fault')}`,
    factor: 1.5,
  },
  {
    topic: 'oversubscription',
    of: (r) => r.evicted_pages,
    say: (v) => (v === 0 ? 'evicted nothing' : `evicted ${countOf(v, 'page')}`),
    factor: 1.5,
  },
  {
    topic: 'sharing',
    of: (r) => r.throttled + r.pinned,
    say: (v, r) =>
      v === 0
        ? 'saw no thrashing'
        : `throttled ${countOf(r.throttled, 'time')} and pinned ${countOf(r.pinned, 'page')}`,
    factor: 1,
  },
];

/**
 * What the clients of a comparison do differently, and by which rule of each.
 * @param rules by client name.
 * @param traits of the program: a difference of a program with atomics is explained by the rule for atomics.
 */
export function findDifferences(
  reports: readonly ClientReport[],
  rules: ReadonlyMap<string, Rules>,
  traits: ProgramTraits = NO_TRAITS,
): Difference[] {
  const because = (topic: Topic): string =>
    reports.map(({ client }) => `${client}: ${rules.get(client)?.[topic] ?? 'no rule is known'}`).join(' ');
  const found: Difference[] = [];
  for (const report of reports) {
    if (report.error !== null)
      found.push({ what: `${report.client} could not run it to its end`, why: report.error });
  }
  const ran = reports.filter(({ error }) => error === null);
  if (ran.length < 2) return found;
  const values = differingValues(ran);
  if (values !== undefined) found.push({ what: values, why: because(traits.forks ? 'fork' : 'sharing') });
  const ends = differingEnds(ran);
  if (ends !== undefined) found.push({ what: ends, why: because('badAddress') });
  for (const measure of MEASURES) {
    const numbers = ran.map(measure.of);
    if (!apart(numbers, measure.factor)) continue;
    const what = ran.map((r, at) => `${r.client} ${measure.say(numbers[at] ?? 0, r)}`).join('; ');
    const topic = traits.gpuAtomics && measure.topic === 'gpuFault' ? 'atomics' : measure.topic;
    found.push({ what, why: because(topic) });
  }
  const time = timeDifference(ran);
  return time === undefined ? found : [...found, time];
}

function apart(numbers: readonly number[], factor: number): boolean {
  const low = Math.min(...numbers);
  const high = Math.max(...numbers);
  return high > low && high > low * factor;
}

function differingValues(reports: readonly ClientReport[]): string | undefined {
  const [first] = reports;
  for (const name of Object.keys(first?.values ?? {})) {
    const texts = reports.map(
      (r) => `${r.client} has ${name} = ${(r.values[name] ?? []).slice(0, 8).join(',')}`,
    );
    const distinct = new Set(reports.map((r) => (r.values[name] ?? []).join(',')));
    if (distinct.size > 1) return texts.join('; ');
  }
  return undefined;
}

/** What became of the device in the program, where it was lost under any client. */
function differingEnds(reports: readonly ClientReport[]): string | undefined {
  if (reports.every(({ fatal }) => fatal === null)) return undefined;
  return reports.map(({ client, fatal }) => `${client}: ${fatal ?? 'the device goes on'}`).join('; ');
}

function timeDifference(reports: readonly ClientReport[]): Difference | undefined {
  const sorted = [...reports].sort((a, b) => a.time_ns - b.time_ns);
  const fast = sorted[0];
  const slow = sorted.at(-1);
  if (fast === undefined || slow === undefined || slow.time_ns <= fast.time_ns * 1.05) return undefined;
  const what = `${slow.client} took ${formatTime(slow.time_ns)}, ${formatRatio(slow.time_ns / fast.time_ns)} ${fast.client}'s ${formatTime(fast.time_ns)}`;
  const gap = (part: keyof ClientReport['time_by_part']): number =>
    slow.time_by_part[part] - fast.time_by_part[part];
  const parts = (['running', 'fault_wait', 'copying', 'invalidating'] as const)
    .map((part) => ({ part, ns: gap(part) }))
    .sort((a, b) => b.ns - a.ns);
  const most = parts[0];
  if (most === undefined || most.ns <= 0) return { what, why: 'outside of the devices: on the CPU.' };
  const why = `${slow.client} spends ${formatTime(most.ns)} more ${PART_TEXT[most.part]}.`;
  return { what, why };
}

/** Time in which no kernel of the program ran, moved or waited: that of the CPU, its faults, and of starting kernels. */
export function outsideOfDevice({ time_ns: time, time_by_part: parts }: ClientReport): number {
  const { running, fault_wait: wait, copying, invalidating } = parts;
  return Math.max(0, time - running - wait - copying - invalidating);
}

/** The parts of time, in words. */
export const PART_TEXT: Readonly<Record<keyof ClientReport['time_by_part'], string>> = {
  running: 'running (local and remote accesses)',
  fault_wait: 'waiting for faults',
  copying: 'copying',
  invalidating: 'invalidating',
};
