import { GpuKernel } from './gpu-kernel.js';

/** A kernel of one thread: each access waits for the one before, so there is one fault at a time. */
export class SerialKernel extends GpuKernel {
  override advance(): number {
    const { accesses, instance } = this;
    const { base, pages } = accesses;
    const { table } = instance;
    const from = this.done;
    const to = Math.min(pages.length, from + this.gpu.accessesAtOnce);
    const stop = table.tlb.access(base, pages, from, to, this.needs);
    const remote = table.tlb.remote;
    this.countRemote(from, stop, remote);
    this.transfer(from, stop);
    this.done = stop;
    this.stalled = stop < to;
    this.finished = stop === pages.length;
    if (this.stalled) this.fault(base + (pages[stop] ?? 0), 0);
    return (stop - from - remote) * this.localNs + remote * this.remoteNs;
  }

  override waitsFor(vpn: number): boolean {
    return this.accesses.base + (this.accesses.pages[this.done] ?? 0) === vpn;
  }
}
