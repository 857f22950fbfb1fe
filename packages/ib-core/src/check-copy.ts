import { PAGE_SIZE } from '@hmm/kernel';
import { frameCopy } from './umem.js';
import { type IbUmemOdp, slotOf } from './umem-odp.js';

/**
 * OI16, of one copy: whether a packet's payload is what memory has at `va`, byte for byte, now that it was copied in either
 * direction. The caller holds the region's mutex.
 * @returns the first byte of the payload that is another; -1 where none is.
 */
export function wronglyCopied(umem: IbUmemOdp, va: number, payload: Uint8Array): number {
  const { pfnList } = umem.map;
  const { system } = umem.owningMm;
  const page = new Uint8Array(PAGE_SIZE);
  for (let done = 0; done < payload.length;) {
    const inPage = (va + done) % PAGE_SIZE;
    const bytes = Math.min(PAGE_SIZE - inPage, payload.length - done);
    const pfn = pfnList[slotOf(umem, Math.floor((va + done) / PAGE_SIZE)) + 1] ?? 0;
    frameCopy(system, pfn, inPage, page.subarray(0, bytes), false);
    for (let i = 0; i < bytes; i++) if (page[i] !== payload[done + i]) return done + i;
    done += bytes;
  }
  return -1;
}
