import { PAGE_SIZE } from '@hmm/kernel';
import { accessData, type MemorySystem } from '@hmm/mm';
import type { RxeMr } from './rxe-mr.js';

/** Copies between a packet and a region whose pages are pinned. 0. @kernel drivers/infiniband/sw/rxe/rxe_mr.c rxe_mr_copy */
export function mrCopy(
  system: MemorySystem,
  { umem, iova: base, va }: RxeMr,
  iova: number,
  payload: Uint8Array,
  toMemory: boolean,
): number {
  if (!('kind' in umem)) return 0;
  const at = iova - base;
  if (umem.kind === 'buffer') {
    if (toMemory) umem.bytes.set(payload, at);
    else payload.set(umem.bytes.subarray(at, at + payload.length));
    return 0;
  }
  const first = va - (va % PAGE_SIZE);
  for (let done = 0; done < payload.length;) {
    const address = va + at + done;
    const inPage = address % PAGE_SIZE;
    const part = payload.subarray(done, done + PAGE_SIZE - inPage);
    const pfn = umem.frames[Math.floor((address - first) / PAGE_SIZE)] ?? 0;
    accessData(system, pfn, toMemory);
    if (toMemory) system.data.write(pfn, inPage, part);
    else system.data.read(pfn, inPage, part);
    done += part.length;
  }
  return 0;
}
