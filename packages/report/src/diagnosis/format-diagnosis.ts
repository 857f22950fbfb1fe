import { formatTable, wrapText } from '../table.js';
import { formatBytes, formatCount, formatRatio, formatShare, formatTime } from '../units.js';
import type { Diagnosis } from './diagnosis.js';

/** Regions shown at most; the others are counted. */
const MOST_REGIONS = 12;

/** The tables of a diagnosis, without its sentence: regions, thrashing, bandwidth, advice. */
export function formatDiagnosis(diagnosis: Diagnosis): string {
  return [regions(diagnosis), thrashing(diagnosis), bandwidth(diagnosis), advice(diagnosis)]
    .filter((part) => part !== '')
    .join('\n\n');
}

function regions({ regions: all }: Diagnosis): string {
  if (all.length === 0) return '';
  const traffic = (r: (typeof all)[number]): number => r.bytes_to_device + r.bytes_to_host;
  const shown = [...all].sort((a, b) => traffic(b) - traffic(a)).slice(0, MOST_REGIONS);
  const rows = shown.map((r) => [
    r.name,
    formatBytes(r.bytes),
    formatCount(r.gpu_faults),
    formatCount(r.cpu_faults),
    formatBytes(r.bytes_to_device),
    formatBytes(r.bytes_to_host),
    formatBytes(r.evicted_bytes),
  ]);
  const titles = ['size', 'GPU faults', 'CPU faults', 'to device', 'to host', 'evicted'];
  const columns = [{ title: 'region' }, ...titles.map((title) => ({ title, align: 'right' as const }))];
  const more = all.length > shown.length ? `\n… and ${all.length - shown.length} more regions` : '';
  return formatTable(columns, rows) + more;
}

function thrashing({ thrashing: worst, thrash }: Diagnosis): string {
  if (worst.length === 0) return '';
  const rows = worst.map((t) => [
    `${t.region} +${formatBytes(t.from)}`,
    formatBytes(t.bytes_to_device),
    formatBytes(t.bytes_to_host),
    formatCount(t.throttled),
  ]);
  const titles = ['to device', 'to host', 'throttled'];
  const columns = [
    { title: 'back and forth' },
    ...titles.map((title) => ({ title, align: 'right' as const })),
  ];
  const share = thrash > 0 ? `\n${formatShare(thrash, 1)} of what moved had been there before (thrash).` : '';
  return formatTable(columns, rows) + share;
}

function bandwidth({ bandwidth: ways }: Diagnosis): string {
  const used = ways.filter(({ bytes }) => bytes > 0);
  if (used.length === 0) return '';
  const rows = used.map((w) => [
    w.direction.replace('_', ' '),
    formatBytes(w.bytes),
    `${w.mean_gbs.toFixed(2)} GB/s`,
    `${w.link_gbs.toFixed(1)} GB/s`,
    formatShare(w.mean_gbs, w.link_gbs),
  ]);
  const titles = ['bytes', 'mean of the run', 'link', 'used'];
  return formatTable(
    [{ title: 'bandwidth' }, ...titles.map((title) => ({ title, align: 'right' as const }))],
    rows,
  );
}

function advice({ advice: tried }: Diagnosis): string {
  if (tried === null) return '';
  if (tried.length === 0) return 'No advice that was simulated makes this run faster.';
  const lines = tried.map(({ what, why, calls, speedup, time_ns }, at) =>
    [
      wrapText(
        `${at + 1}. with ${what}: ${formatRatio(speedup)} faster in the model (${formatTime(time_ns)}); ${why}`,
      ),
      ...calls.map((call) => `   ${call}`),
    ].join('\n'),
  );
  return ['Suggestions, each simulated as it stands', ...lines].join('\n');
}
