import { ENTRY_TABLE } from '@hmm/kernel/internal';
import type { MmStruct } from '@hmm/mm';
import { accessPte, accessTables, findPmd, isHuge } from '@hmm/mm/internal';

/**
 * One entry of the CPU's page table at a time, read without a lock as both walks do: a huge entry is read as one of each of its pages.
 */
export class CpuEntry {
  /** `PTE_*`, 0 for none. */
  flags = 0;
  /** The frame of this very page, where the entry has one. */
  pfn = 0;

  /** Reads what maps `vpn`. */
  read(mm: MmStruct, vpn: number): void {
    const { system } = mm;
    const { lanes } = system.tables;
    const pmd = findPmd(mm, vpn);
    const upper = pmd < 0 ? 0 : (lanes[pmd] ?? 0);
    this.flags = 0;
    this.pfn = 0;
    if (upper === ENTRY_TABLE) {
      const entry = (lanes[pmd + 1] ?? 0) + 2 * (vpn & 511);
      accessPte(system, entry, false);
      this.flags = lanes[entry] ?? 0;
      this.pfn = lanes[entry + 1] ?? 0;
      return;
    }
    accessTables(mm, false);
    if (!isHuge(upper)) return;
    this.flags = upper;
    this.pfn = (lanes[pmd + 1] ?? 0) + (vpn & 511);
  }
}
