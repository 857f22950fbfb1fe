import type { ClientReport } from './client-report.js';
import { PART_TEXT } from './differences.js';
import { formatShare, formatTime } from './units.js';

/** Memory that moves by itself beside explicit memory and copies, for one client. */
export interface ExplicitComparison {
  readonly client: string;
  /** Its time over that of the same program with explicit memory. */
  readonly ratio: number;
  /** The part of a run that makes most of the difference, and its share of it; null where there is none. */
  readonly largest: { readonly part: string; readonly share: number } | null;
  /** The same in a sentence. */
  readonly says: string;
}

const PARTS = ['running', 'fault_wait', 'copying', 'invalidating'] as const;

/** How a run under a client compares with the program's explicit form. */
export function compareWithExplicit(run: ClientReport, explicit: ClientReport): ExplicitComparison {
  const ratio = run.time_ns / Math.max(1, explicit.time_ns);
  const difference = run.time_ns - explicit.time_ns;
  const parts = [
    ...PARTS.map((part) => ({
      part: PART_TEXT[part].replace(/ \(.*/, ''),
      ns: run.time_by_part[part] - explicit.time_by_part[part],
    })),
    { part: 'CPU and launches', ns: outside(run) - outside(explicit) },
  ];
  const [most] = parts
    .map(({ part, ns }) => ({ part, share: ns / difference }))
    .sort((a, b) => b.share - a.share);
  const largest = difference === 0 || most === undefined || most.share <= 0 ? null : most;
  const costs = `${run.client}: managed costs ${ratio.toFixed(ratio < 10 ? 2 : 0)} times explicit (${formatTime(run.time_ns)} and ${formatTime(explicit.time_ns)})`;
  const why =
    largest === null
      ? ''
      : `; ${formatShare(Math.min(1, largest.share) * Math.abs(difference), Math.abs(difference))} of the difference is ${largest.part}`;
  return { client: run.client, ratio, largest, says: `${costs}${why}.` };
}

function outside({ time_ns: time, time_by_part: parts }: ClientReport): number {
  return time - parts.running - parts.fault_wait - parts.copying - parts.invalidating;
}
