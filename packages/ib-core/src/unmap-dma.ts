import { PAGE_SHIFT, PAGE_SIZE } from '@hmm/kernel';
import { HMM_PFN_DMA_MAPPED, HMM_PFN_LANES, HMM_PFN_VALID, HMM_PFN_WRITE, hmmDmaUnmapPfn } from '@hmm/mirror';
import { PG_dirty } from '@hmm/mm/internal';
import { TP_UMEM_ODP_UNMAP } from './tracepoints.js';
import type { IbUmemOdp } from './umem-odp.js';

const MAPPED = HMM_PFN_VALID | HMM_PFN_DMA_MAPPED;

/**
 * Takes the bytes [virt, bound), cut to the region, out of it. A page that the CPU might write, and the device might have
 * written, is dirty from then on. The caller holds the mutex.
 * @kernel drivers/infiniband/core/umem_odp.c ib_umem_odp_unmap_dma_pages (all)
 */
export function ibUmemOdpUnmapDmaPages(umem: IbUmemOdp, virt: number, bound: number): void {
  const { map, owningMm: mm, device, pageShift } = umem;
  const { kernel } = mm;
  const frames = mm.system.map;
  const from = Math.max(virt, umem.start) / PAGE_SIZE;
  const to = Math.min(bound, umem.end) / PAGE_SIZE;
  if (kernel.trace.on) kernel.emit(TP_UMEM_ODP_UNMAP, from, to - from, mm.id);
  kernel.sched.access(umem.listObject, true);
  const base = umem.startVpn;
  const unit = 2 ** (pageShift - PAGE_SHIFT);
  const { pfnList } = map;
  for (let page = from - base; page < to - base; page += unit) {
    const idx = device.odp.unitIndex ? page / unit : page;
    const slot = HMM_PFN_LANES * idx;
    const flags = pfnList[slot] ?? 0;
    if ((flags & MAPPED) === MAPPED) {
      const pfn = pfnList[slot + 1] ?? 0;
      if ((flags & HMM_PFN_WRITE) !== 0) frames.set(frames.folio(pfn), PG_dirty);
      hmmDmaUnmapPfn(device.dma, map, idx);
      umem.npages--;
    }
    pfnList[slot] = 0;
  }
}
