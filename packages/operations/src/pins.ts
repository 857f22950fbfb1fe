import { EFAULT, EINVAL, type Task } from '@hmm/kernel';
import { FOLL_LONGTERM, FOLL_WRITE, type MmStruct, pinUserPages, unpinUserPage } from '@hmm/mm';

/** A long-term pin: the page that was asked for, and the frame that it holds. */
export interface Pin {
  readonly vpn: number;
  readonly pfn: number;
}

/** Whoever holds pins on pages of an address space. */
export interface PinHolder {
  readonly mm: MmStruct;
  readonly pins: Pin[];
}

/**
 * Takes long-term pins on all pages or on none: what was pinned before a failure is dropped again. 0, or a negative errno
 * (`-EFAULT` where only some of the pages can be had).
 */
export function* pinPages(holder: PinHolder, vpn: number, pages: number, write: boolean): Task<number> {
  const { mm, pins } = holder;
  const pfns: number[] = [];
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  const got = yield* pinUserPages(mm, vpn, pages, FOLL_LONGTERM | (write ? FOLL_WRITE : 0), pfns);
  mm.mmapLock.unlockRead();
  if (got === pages) {
    for (const [at, pfn] of pfns.entries()) pins.push({ vpn: vpn + at, pfn });
    return 0;
  }
  for (const pfn of pfns) unpinUserPage(mm.system, pfn);
  return got < 0 ? got : -EFAULT;
}

/** Drops the pins that were taken on these pages, and no others; `-EINVAL` where there are none. */
export function unpinPages(holder: PinHolder, vpn: number, pages: number): number {
  const { mm, pins } = holder;
  let dropped = 0;
  for (let at = 0; at < pins.length;) {
    const pin = pins[at];
    if (pin === undefined || pin.vpn < vpn || pin.vpn >= vpn + pages) at++;
    else {
      pins.splice(at, 1);
      unpinUserPage(mm.system, pin.pfn);
      dropped++;
    }
  }
  return dropped > 0 ? 0 : -EINVAL;
}

/** Drops all pins of a holder. */
export function unpinAll({ mm, pins }: PinHolder): void {
  for (const { pfn } of pins.splice(0)) unpinUserPage(mm.system, pfn);
}
