import type { ClientReport } from '../client-report.js';
import { outsideOfDevice, PART_TEXT } from '../differences.js';
import { countOf, formatBytes, formatRatio, formatShare, formatTime } from '../units.js';
import type { PingPong, RegionTotals, RunEvents } from './run-events.js';

const PAGE_BYTES = 4096;

/** One region of a run: the stable form of `--json`. Bytes, counts. */
export interface RegionReport {
  readonly name: string;
  readonly bytes: number;
  readonly gpu_faults: number;
  readonly cpu_faults: number;
  readonly bytes_to_device: number;
  readonly bytes_to_host: number;
  readonly evicted_bytes: number;
  readonly thrashing_pages: number;
  readonly throttled: number;
  readonly remote_pages: number;
}

/** 2 MiB that went back and forth. */
export interface ThrashReport {
  readonly region: string;
  /** Byte range in the region. */
  readonly from: number;
  readonly to: number;
  readonly bytes_to_device: number;
  readonly bytes_to_host: number;
  readonly throttled: number;
}

/** One direction of the link. */
export interface BandwidthReport {
  readonly direction: 'to_device' | 'to_host';
  readonly bytes: number;
  /** Mean over the whole run, and what the link can do, GB/s (1e9 bytes). */
  readonly mean_gbs: number;
  readonly link_gbs: number;
}

/** Advice that was simulated. */
export interface AdviceReport {
  /** What to do, as a clause: `preferred location CPU on region b`. */
  readonly what: string;
  /** Why it can help, a clause. */
  readonly why: string;
  /** All that was simulated, as calls of CUDA's runtime; empty where it is another way to allocate. */
  readonly calls: readonly string[];
  /** The same as statements of the program language. */
  readonly statements: readonly string[];
  /** Its time, and how many times faster the run was with it. */
  readonly time_ns: number;
  readonly speedup: number;
}

/** Why a run costs what it costs. */
export interface Diagnosis {
  /** The answer in a sentence. */
  readonly summary: string;
  /** ns that the kernels run with all their pages in device memory, and how many times that they took; null without any. */
  readonly resident_ns: number | null;
  readonly slowdown: number | null;
  /** Share of the bytes moved that had been moved before and came back: 0 to 1. */
  readonly thrash: number;
  readonly regions: readonly RegionReport[];
  readonly thrashing: readonly ThrashReport[];
  readonly bandwidth: readonly BandwidthReport[];
  /** In the order of effect. Empty when nothing helped; null when it was not tried. */
  readonly advice: readonly AdviceReport[] | null;
}

/** What the link can do, GB/s. */
export interface LinkLimits {
  readonly toDeviceGBs: number;
  readonly toHostGBs: number;
}

/** Why `report` cost what it cost. @param residentNs as counted by the client; undefined where it counts none. */
export function diagnose(
  report: ClientReport,
  events: RunEvents,
  residentNs: number | undefined,
  link: LinkLimits | undefined,
): Diagnosis {
  const { running, fault_wait: wait, copying, invalidating } = report.time_by_part;
  const device = running + wait + copying + invalidating;
  const resident = residentNs === undefined || residentNs <= 0 ? null : residentNs;
  const slowdown = resident === null ? null : device / resident;
  const thrashing = events.pingPongs().map(thrashReport);
  return {
    summary: sentence(report, slowdown, thrashing.length),
    resident_ns: resident,
    slowdown,
    thrash: thrashShare(events),
    regions: events.regions().map(regionReport),
    thrashing,
    bandwidth: link === undefined ? [] : bandwidth(report, link),
    advice: null,
  };
}

/** A kernel that would run shorter than this, ns, or so many times slower, is not compared with itself: it hardly runs. */
const SHORTEST_KERNEL_NS = 1000;
const MOST_SLOWDOWN = 1000;

/** `driver on GPU: 16.5 ms, its kernels took 3.1x as long as if …; 20 % of the time waiting …`: shares are of the whole time. */
function sentence(report: ClientReport, slowdown: number | null, thrashing: number): string {
  if (report.error !== null) return `${report.client} could not run this to its end: ${report.error}`;
  const causes = biggestCauses(report, thrashing);
  const how = formatTime(report.time_ns) + comparedWithResident(report, slowdown);
  return `${report.client} on ${report.gpu}: ${how}${causes.length === 0 ? '' : `; ${causes.join(', ')}`}.`;
}

function comparedWithResident(report: ClientReport, slowdown: number | null): string {
  if (slowdown === null) return '';
  if (slowdown < 1.05) return ', its kernels as fast as if all data were resident';
  if (report.time_by_part.running < SHORTEST_KERNEL_NS || slowdown > MOST_SLOWDOWN)
    return ', with kernels that do little but fault';
  return `, its kernels ${formatRatio(slowdown)} slower than if all data were resident`;
}

function biggestCauses(report: ClientReport, thrashing: number): string[] {
  const { time_by_part: time, time_ns: total } = report;
  const causes: { readonly weight: number; readonly text: string }[] = [];
  const part = (ns: number, text: string): void => {
    if (ns > 0.02 * total) causes.push({ weight: ns, text: `${formatShare(ns, total)} of the time ${text}` });
  };
  part(time.fault_wait, `waiting on ${countOf(report.batches, 'fault batch', 'fault batches')}`);
  part(
    time.copying,
    `${PART_TEXT.copying} ${formatBytes(report.bytes_to_device)} in and ${formatBytes(report.bytes_to_host)} out`,
  );
  part(time.invalidating, PART_TEXT.invalidating);
  part(outsideOfDevice(report), 'on the CPU and launching');
  if (report.remote_accesses > 0)
    part(
      time.running,
      `running, with ${countOf(report.remote_accesses, 'access', 'accesses')} over the link`,
    );
  causes.sort((a, b) => b.weight - a.weight);
  const texts = causes.slice(0, 3).map(({ text }) => text);
  if (report.evicted_pages > 0) texts.push(`${formatBytes(report.evicted_pages * PAGE_BYTES)} evicted`);
  if (thrashing > 0)
    texts.push(`back and forth on ${thrashing >= 10 ? 'at least ' : ''}${thrashing} x 2 MiB`);
  return texts;
}

function thrashShare(events: RunEvents): number {
  let moved = 0;
  let again = 0;
  for (const { pagesToDevice, pagesToHost, region } of events.regions()) {
    moved += pagesToDevice + pagesToHost;
    again += Math.max(0, pagesToDevice - region.pages);
  }
  return moved === 0 ? 0 : Math.min(1, (2 * again) / moved);
}

function regionReport(totals: RegionTotals): RegionReport {
  return {
    name: totals.region.name,
    bytes: totals.region.pages * PAGE_BYTES,
    gpu_faults: totals.gpuFaults,
    cpu_faults: totals.cpuFaults,
    bytes_to_device: totals.pagesToDevice * PAGE_BYTES,
    bytes_to_host: totals.pagesToHost * PAGE_BYTES,
    evicted_bytes: totals.evictedPages * PAGE_BYTES,
    thrashing_pages: totals.thrashing,
    throttled: totals.throttled,
    remote_pages: totals.mappedRemote,
  };
}

function thrashReport(found: PingPong): ThrashReport {
  return {
    region: found.region,
    from: found.page * PAGE_BYTES,
    to: (found.page + found.pages) * PAGE_BYTES,
    bytes_to_device: found.pagesToDevice * PAGE_BYTES,
    bytes_to_host: found.pagesToHost * PAGE_BYTES,
    throttled: found.throttled,
  };
}

function bandwidth(report: ClientReport, link: LinkLimits): BandwidthReport[] {
  const row = (direction: BandwidthReport['direction'], bytes: number, linkGbs: number): BandwidthReport => ({
    direction,
    bytes,
    mean_gbs: report.time_ns === 0 ? 0 : bytes / report.time_ns,
    link_gbs: linkGbs,
  });
  return [
    row('to_device', report.bytes_to_device, link.toDeviceGBs),
    row('to_host', report.bytes_to_host, link.toHostGBs),
  ];
}
