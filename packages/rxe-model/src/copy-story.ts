import type { IbUmemOdp } from '@hmm/ib-core';
import { PAGE_SIZE } from '@hmm/kernel';

/**
 * OI16 is broken: a packet's payload is not what memory has. Tells the device, with the pieces of the copy as its story.
 * @param wrong the first byte of the payload that is another.
 */
export function tellCopy(
  umem: IbUmemOdp,
  va: number,
  length: number,
  toMemory: boolean,
  wrong: number,
): void {
  const { broken } = umem.device;
  if (broken === undefined) return;
  const base = umem.startVpn;
  const way = toMemory ? 'from a packet to memory' : 'from memory to a packet';
  const detail = `a copy of ${length} bytes ${way} is wrong from byte ${wrong} on`;
  broken.tell('OI16', detail, [
    `a packet of ${length} bytes is copied ${way}, at byte ${va % PAGE_SIZE} of page ${Math.floor(va / PAGE_SIZE) - base} of the region`,
    ...pieces(va - base * PAGE_SIZE, length),
    toMemory
      ? "so memory gets bytes that are not the packet's for it, and other bytes of its pages are overwritten"
      : 'so the later piece lies over the first, and the rest of the packet goes out as it was: with what the kernel had there before',
  ]);
}

/** The pieces of a copy, a page each: where they belong, and where rxe of 7.3 puts them. */
function pieces(va: number, length: number): string[] {
  const told: string[] = [];
  for (let done = 0; done < length;) {
    const inPage = (va + done) % PAGE_SIZE;
    const bytes = Math.min(PAGE_SIZE - inPage, length - done);
    const page = Math.floor((va + done) / PAGE_SIZE);
    told.push(
      `${bytes} bytes belong at byte ${inPage} of page ${page} and at byte ${done} of the packet; __rxe_odp_mr_copy takes the page's beginning and the packet's`,
    );
    done += bytes;
  }
  return told;
}
