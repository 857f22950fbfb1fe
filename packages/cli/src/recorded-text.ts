import { GPU_PRESETS, GPU_TOPOLOGIES } from '@hmm/gpu';
import {
  bytesBetweenGpus,
  type ClientReport,
  formatBytes,
  formatCount,
  formatShare,
  formatTable,
  formatTime,
  wrapText,
} from '@hmm/report';
import type { RecordedWay } from '@hmm/workload/internal';
import type { Recording } from './trace-input.js';

/** Kernels, and CPU functions, shown at most. */
const MOST_ROWS = 10;
/** Advice for a replay whose transfers are not within this factor of the recorded ones is about another program. */
const MOST_APART = 2;

/**
 * The GPU that a recording is of, by the name that the driver gives it: a preset, or the smallest machine of such GPUs where `needed` of
 * them did something; undefined where none is known.
 */
export function recordedGpu(
  { gpus }: Recording,
  known: readonly string[],
  needed: number,
): string | undefined {
  const name = (gpus[0] ?? '').toLowerCase().replace(/[^a-z0-9]/g, '');
  const preset = GPU_PRESETS.map((one) => one.name)
    .filter((one) => known.includes(one) && name.includes(one))
    .sort((a, b) => b.length - a.length)[0];
  if (needed < 2) return preset;
  return GPU_TOPOLOGIES.filter((one) => one.preset === preset && one.gpus >= needed)
    .sort((a, b) => a.gpus - b.gpus)
    .find((one) => known.includes(one.name))?.name;
}

/** What was recorded, before any model: kernels, transfers, faults, and who on the CPU takes pages back. */
export function formatRecorded({ totals, gpus }: Recording): string {
  const on = gpus.length === 0 ? '' : ` on ${gpus.join(', ')}`;
  return [`What was recorded${on}`, kernelTable(totals), transferTable(totals), otherLines(totals)]
    .filter((part) => part !== '')
    .join('\n\n');
}

function kernelTable({ kernels }: Recording['totals']): string {
  if (kernels.length === 0) return '';
  const several = new Set(kernels.flatMap(({ gpus }) => gpus)).size > 1;
  const rows = kernels
    .slice(0, MOST_ROWS)
    .map(({ name, gpus, launches, ns, faults, faultNs }) => [
      name === '' ? '(no name)' : name.slice(0, 30),
      ...(several ? [gpus.join(', ')] : []),
      formatCount(launches),
      formatTime(ns),
      formatCount(faults),
      formatShare(Math.min(faultNs, ns), ns),
    ]);
  const more = kernels.length > rows.length ? `\n… and ${kernels.length - rows.length} more kernels` : '';
  const titles = ['launches', 'time', 'GPU faults', 'of its time'];
  const gpu = several ? [{ title: 'GPU' }] : [];
  return formatTable([{ title: 'kernel' }, ...gpu, ...titles.map(right)], rows) + more;
}

function transferTable({ transfers }: Recording['totals']): string {
  const rows = transfers.map(({ way, cause, copies, bytes, ns }) => [
    `${way.replace('_', ' ')}, ${cause}`,
    formatBytes(bytes),
    formatCount(copies),
    formatTime(ns),
  ]);
  if (rows.length === 0) return '';
  return formatTable([{ title: 'unified memory' }, ...['bytes', 'copies', 'time'].map(right)], rows);
}

function otherLines(totals: Recording['totals']): string {
  const { gpuFaultRows, gpuFaults, cpuFaults, cpuFunctions, bothWays } = totals;
  const lines = [
    `${formatCount(gpuFaults)} GPU faults in ${formatCount(gpuFaultRows)} records, ${formatCount(cpuFaults)} CPU faults`,
  ];
  if (bothWays > 0) lines.push(`${formatCount(bothWays)} x 2 MiB went both ways`);
  const named = cpuFunctions.slice(0, MOST_ROWS).map(({ name, faults }) => `${name} ${formatCount(faults)}`);
  if (named.length > 0) lines.push(wrapText(`CPU faults by function: ${named.join(', ')}`));
  if (gpuFaultRows + cpuFaults === 0)
    lines.push(
      wrapText(
        'No page faults were recorded; nsys profile records them with --cuda-um-gpu-page-faults=true --cuda-um-cpu-page-faults=true.',
      ),
    );
  return lines.join('\n');
}

const right = (title: string): { title: string; align: 'right' } => ({ title, align: 'right' });

/** Bytes that unified memory moved each way, as recorded. */
export function recordedBytes({ totals }: Recording): Record<RecordedWay, number> {
  const sum = (wanted: RecordedWay): number =>
    totals.transfers.reduce((bytes, t) => bytes + (t.way === wanted ? t.bytes : 0), 0);
  const between = sum('between_devices');
  return { to_device: sum('to_device'), to_host: sum('to_host'), between_devices: between };
}

/** Recorded and replayed totals side by side. */
export function formatReplayed(recording: Recording, report: ClientReport): string {
  const recorded = recordedBytes(recording);
  const { gpuFaults, cpuFaults } = recording.totals;
  const rows = [
    ['bytes to device', formatBytes(recorded.to_device), formatBytes(report.bytes_to_device)],
    ['bytes to host', formatBytes(recorded.to_host), formatBytes(report.bytes_to_host)],
    ...(recorded.between_devices === 0
      ? []
      : [['between GPUs', formatBytes(recorded.between_devices), formatBytes(bytesBetweenGpus(report))]]),
    ['GPU faults', formatCount(gpuFaults), formatCount(report.faults)],
    ['CPU faults', formatCount(cpuFaults), formatCount(report.cpu_faults)],
  ];
  return [
    formatTable([{ title: 'the replay' }, right('recorded'), right('replayed')], rows),
    wrapText(
      'The replay is an approximation: each recorded fault is an access, each transfer an access of every page that moved; accesses that neither faulted nor moved are not in a recording, and kernels do no work of their own.',
    ),
  ].join('\n');
}

/** Why no advice is given for a replay that is not what was recorded; undefined where it is near enough. */
export function replayDiffers(recording: Recording, report: ClientReport): string | undefined {
  const recorded = recordedBytes(recording);
  const apart = (a: number, b: number): boolean => Math.max(a, b) > MOST_APART * Math.min(a, b) + 2 ** 20;
  if (!apart(recorded.to_device, report.bytes_to_device) && !apart(recorded.to_host, report.bytes_to_host))
    return undefined;
  return 'the replay moves less than half or more than twice what was recorded: advice would be about another program';
}
