import { GPU_ACCESS_WRITE } from './access.js';
import { deliverFaults, type Tpc } from './fault-arbiter.js';
import type { FaultPath } from './fault-path.js';
import { GpuKernel, mapped } from './gpu-kernel.js';
import { BLOCK, SECTOR, type SmAccesses, SmFaults } from './sm-faults.js';

/**
 * A kernel of one thread an access, in thread blocks of 128 that are spread over the SMs: the uTLB of each has its faults
 * outstanding, and they reach the fault buffer one by one, while the driver reads it.
 */
export class ParallelKernel extends GpuKernel implements SmAccesses {
  private readonly sms: SmFaults[] = [];
  private readonly clusters: readonly (readonly Tpc[])[];
  /** The last replay that its accesses have seen; -1 before it runs. */
  private seen = -1;
  private remote = 0;

  constructor(...args: ConstructorParameters<typeof GpuKernel>) {
    super(...args);
    const { access, pages } = this.accesses;
    const { capability, faultPath } = this.gpu.preset;
    const { threads, utlbFaults } = capability;
    const kind = access < GPU_ACCESS_WRITE ? 'read' : 'write';
    const fewer = kind === 'write' ? faultPath.fewerSectorsToWrite.value : 0;
    const sectors = Math.max(1, Math.floor(utlbFaults.value / SECTOR) - fewer);
    const blocks = Math.ceil(pages.length / BLOCK);
    const places = Math.min(blocks, Math.max(1, Math.round(threads.value / faultPath.smThreads.value)));
    for (let place = 0; place < places; place++) {
      const sm = new SmFaults(faultPath, Math.ceil((blocks - place) / places) * BLOCK, sectors, kind);
      for (let block = place; block < blocks; block += places) sm.addBlock(block, pages.length, this);
      this.sms.push(sm);
    }
    this.clusters = clustersOf(this.sms, faultPath);
  }

  override get retriesAtReplay(): boolean {
    return true;
  }

  override get tried(): boolean {
    return this.seen === this.gpu.replays;
  }

  override advance(): number {
    const { gpu, sms } = this;
    const first = this.seen < 0;
    const before = this.done;
    this.seen = gpu.replays;
    this.remote = 0;
    for (const sm of sms) {
      if (first) sm.start(this);
      else sm.retry(this);
    }
    gpu.remoteAccesses += this.remote;
    this.finished = sms.every((sm) => sm.finished);
    this.stalled = !this.finished;
    if (this.stalled) this.deliverAll(first);
    if (this.done === before) return 0;
    return this.remote > 0 ? this.remoteNs : this.localNs;
  }

  page(thread: number): number {
    return this.accesses.base + (this.accesses.pages[thread] ?? 0);
  }

  tryAccess(thread: number): boolean {
    const vpn = this.page(thread);
    const how = mapped(this.instance, vpn, this.needs);
    if (how === 0) return false;
    if (how === 2) {
      this.remote++;
      this.countAccess(vpn, 1);
    }
    this.done++;
    this.transfer(thread, thread + 1);
    return true;
  }

  /** All threads run at once. */
  override residentTime(): number {
    return this.done > 0 ? this.localNs : 0;
  }

  override waitsFor(vpn: number): boolean {
    return this.sms.some((sm) =>
      sm.outstanding.subarray(0, sm.waiting).some((thread) => this.page(thread) === vpn),
    );
  }

  private deliverAll(first: boolean): void {
    const { kernel, preset, prng } = this.gpu;
    const { now } = kernel.sched;
    const delivery = { path: preset.faultPath, when: first ? 'start' : 'replay', prng } as const;
    deliverFaults(this.clusters, delivery, (thread, ns) => {
      this.faultAt(now + ns, this.page(thread), Math.floor(thread / BLOCK));
    });
  }
}

/**
 * The TPCs of each cluster, of the SMs in the order in which they get thread blocks: first those that one cluster has more
 * of than the others, then for each cluster as many, of a TPC each where that will do.
 */
function clustersOf(sms: readonly SmFaults[], path: FaultPath): Tpc[][] {
  const firstSms = path.firstSms.value;
  const count = path.clusters.value;
  const rest = sms.length - firstSms;
  const clusters = Array.from({ length: count }, (_, cluster) => {
    const from = firstSms + Math.ceil((rest * cluster) / count);
    return tpcsOf(sms.slice(from, firstSms + Math.ceil((rest * (cluster + 1)) / count)), path.tpcs.value);
  });
  const first = sms.slice(0, firstSms);
  if (rest <= 0) return [inPairs(first)];
  clusters[0]?.push(...inPairs(first));
  return clusters;
}

/** SMs side by side share a TPC where there are more of them than `most` TPCs. */
function tpcsOf(sms: readonly SmFaults[], most: number): Tpc[] {
  const count = Math.min(sms.length, most);
  return Array.from({ length: count }, (_, tpc) =>
    sms.slice(Math.ceil((sms.length * tpc) / count), Math.ceil((sms.length * (tpc + 1)) / count)),
  );
}

function inPairs(sms: readonly SmFaults[]): Tpc[] {
  return sms.flatMap((_, i) => (i % 2 === 0 ? [sms.slice(i, i + 2)] : []));
}
