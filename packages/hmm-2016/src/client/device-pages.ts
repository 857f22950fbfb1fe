import { declareState } from '@hmm/kernel/internal';
import type { DevPagemap } from '@hmm/mm';

/** Which pages of a device's memory are free; the one freed last is handed out first. */
export class DevicePages {
  /** What of it is state. */
  static readonly state = declareState({ free: { saved: 'which page is handed out next decides nothing' } });

  private readonly free: number[] = [];

  /** All pages of `pagemap` become free. */
  fill({ start, nr }: DevPagemap): void {
    for (let pfn = start + nr - 1; pfn >= start; pfn--) this.free.push(pfn);
  }

  /** A free page; undefined where there is none. */
  take(): number | undefined {
    return this.free.pop();
  }

  /** A page is not used any more. */
  put(page: number): void {
    this.free.push(page);
  }
}
