import { HPAGE_PMD_NR, HPAGE_PMD_ORDER, type Release, type Task } from '@hmm/kernel';
import { allocPage, MADV_HUGEPAGE, type MmStruct, mmInvariants, sysMadvise, type VmFault } from '@hmm/mm';
import { allocHugePage, findPmd, NO_PFN } from '@hmm/mm/internal';
import {
  I36,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateInvariants,
  migratePfn,
  migratePfnToPage,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
  type MigrateVma,
  zoneDeviceFolioInit,
  zoneDevicePageInit,
} from '@hmm/migrate';
import { cpagesMatch } from '@hmm/migrate/internal';
import { takeCensus } from '@hmm/mm';
import { BASE, Host, MemoryDriver } from './support.js';

/** Pages of a huge page. */
export const NR = HPAGE_PMD_NR;

/** A host whose core is that of 6.19. */
export class HugeHost extends Host {
  constructor(systemFrames = 8192, release: Release = '6.19') {
    super(systemFrames, release);
  }

  /** Flags and frame of the PMD entry of `page`. */
  pmd(page: number, mm: MmStruct = this.mm): [flags: number, pfn: number] {
    const entry = findPmd(mm, page);
    const { lanes } = this.system.tables;
    return entry < 0 ? [0, 0] : [lanes[entry] ?? 0, lanes[entry + 1] ?? 0];
  }

  /** Of the pages `first` … `last - 1` from BASE, those that do not hold what {@link hugeMemory} wrote. */
  wrong(first = 0, last = NR): number[] {
    const pages = Array.from({ length: last - first }, (_, i) => first + i);
    return pages.filter((i) => this.read(BASE + i) !== i % 251);
  }

  /** The first invariant that is broken while nothing is under way. */
  broken(): string | undefined {
    const census = takeCensus(this.system);
    for (const [name, rule] of Object.entries({ ...mmInvariants, ...migrateInvariants })) {
      const words = rule(this.system, census);
      if (words !== undefined) return `${name}: ${words}`;
    }
    return undefined;
  }
}

/** What the driver keeps of each of its folios in use (`zone_device_data`). */
const TAG = 77;

/** A driver that takes 2 MiB as one where it can. */
export class HugeDriver extends MemoryDriver {
  readonly freeFolios: number[] = [];
  /** Calls of `folioSplit`, by the page that they were for. */
  readonly splits: number[] = [];
  /** Whether huge pages of either side cannot be had. */
  smallDevice = false;
  smallSystem = false;
  /** Whether a fault finds no memory at all. */
  noMemory = false;

  constructor(host: Host, nr = 1024) {
    super(host, nr);
    this.free.length = 0;
    for (let pfn = this.pgmap.start; pfn < this.pgmap.start + nr; pfn += HPAGE_PMD_NR)
      this.freeFolios.push(pfn);
  }

  folioFree(folio: number, order: number): void {
    const { map } = this.host.system;
    if (map.private[folio] !== TAG) this.note(`frame ${folio} comes back without the driver's data`);
    this.frees++;
    (order === HPAGE_PMD_ORDER ? this.freeFolios : this.free).push(folio);
  }

  folioSplit(head: number, tail: number): void {
    const { map } = this.host.system;
    this.splits.push(tail);
    if (tail !== NO_PFN) map.private[tail] = map.private[head] ?? 0;
  }

  override take(): number {
    if (this.free.length === 0) {
      const head = this.freeFolios.pop();
      if (head === undefined) return NO_PFN;
      for (let i = 0; i < HPAGE_PMD_NR; i++) this.free.push(head + i);
    }
    const pfn = this.free.pop() ?? NO_PFN;
    zoneDevicePageInit(this.host.system, pfn);
    return this.tagged(pfn);
  }

  takeFolio(): number {
    const head = this.smallDevice ? undefined : this.freeFolios.pop();
    if (head === undefined) return NO_PFN;
    zoneDeviceFolioInit(this.host.system, head, HPAGE_PMD_ORDER);
    return this.tagged(head);
  }

  private tagged(pfn: number): number {
    this.host.system.map.private[pfn] = TAG;
    this.allocs++;
    return pfn;
  }

  override *migrateToRam(vmf: VmFault): Task<number> {
    const pages = vmf.huge ? HPAGE_PMD_NR : 1;
    const start = vmf.vpn - (vmf.huge ? vmf.vpn % HPAGE_PMD_NR : 0);
    const args = this.args(vmf.vma, start, pages, this.select | MIGRATE_VMA_SELECT_COMPOUND, vmf.page);
    this.note(I36(this.host.system, vmf.page));
    if ((yield* migrateVmaSetup(args)) !== 0) return 2;
    if (!this.noMemory) this.copyHome(args);
    yield* migrateVmaPages(args);
    yield* migrateVmaFinalize(args);
    return this.noMemory ? 1 : 0;
  }

  /** Gives every slot that can be migrated a page, or 512. */
  private give(
    args: MigrateVma,
    huge: () => number,
    small: () => number,
    fill: (to: number, from: number) => void,
  ): void {
    this.checkSlots(args);
    this.note(cpagesMatch(args.src, args.npages, args.cpages));
    for (let i = 0; i < args.npages; i++) {
      const slot = args.src[i] ?? 0;
      if ((slot & MIGRATE_PFN_MIGRATE) === 0) continue;
      const from = migratePfnToPage(slot);
      const parts = (slot & MIGRATE_PFN_COMPOUND) !== 0 ? HPAGE_PMD_NR : 1;
      const folio = parts === 1 ? NO_PFN : huge();
      if (folio !== NO_PFN) args.dst[i] = migratePfn(folio) | MIGRATE_PFN_COMPOUND;
      for (let part = 0; part < parts; part++) {
        const page = folio !== NO_PFN ? folio + part : small();
        if (page === NO_PFN) break;
        if (folio === NO_PFN) args.dst[i + part] = migratePfn(page);
        fill(page, from === NO_PFN ? NO_PFN : from + part);
      }
    }
  }

  override copyOut(args: MigrateVma): void {
    const { data } = this.host.system;
    this.give(
      args,
      () => this.takeFolio(),
      () => this.take(),
      (to, from) => {
        if (from === NO_PFN) data.fillPage(to, 0);
        else data.copyPage(to, from);
      },
    );
  }

  override copyHome(args: MigrateVma): void {
    const { system } = this.host;
    const locked = (pfn: number): number => {
      if (pfn !== NO_PFN) system.map.tryLock(pfn);
      return pfn;
    };
    this.give(
      args,
      () => locked(this.smallSystem ? NO_PFN : allocHugePage(system)),
      () => locked(allocPage(system)),
      (to, from) => {
        system.data.copyPage(to, from);
      },
    );
  }

  override toDevice(start: number, pages: number): boolean[] {
    const flags = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
    const args = this.args(this.host.vma(start), start, pages, flags);
    const rc = this.host.run(migrateVmaSetup(args));
    if (rc !== 0) throw new Error(`setup: ${rc}`);
    this.copyOut(args);
    return this.finish(args);
  }

  override toSystem(start: number, pages: number): boolean[] {
    const args = this.args(this.host.vma(start), start, pages, this.select | MIGRATE_VMA_SELECT_COMPOUND);
    const rc = this.host.run(migrateVmaSetup(args));
    if (rc !== 0) throw new Error(`setup: ${rc}`);
    this.copyHome(args);
    return this.finish(args);
  }

  /** {@link toSystem} as a task among others. */
  *bringHome(start: number, pages: number): Task {
    const args = this.args(this.host.vma(start), start, pages, this.select | MIGRATE_VMA_SELECT_COMPOUND);
    yield* migrateVmaSetup(args);
    this.copyHome(args);
    yield* migrateVmaPages(args);
    yield* migrateVmaFinalize(args);
  }
}

/** A huge page at BASE whose pages i hold i % 251, in a mapping of 4 MiB, and a device; unfilled, the mapping alone. */
export function hugeMemory(
  filled: boolean,
  release: Release = '6.19',
): { host: HugeHost; device: HugeDriver } {
  const host = new HugeHost(8192, release);
  const device = new HugeDriver(host);
  host.map(BASE, 2 * NR);
  host.run(sysMadvise(host.mm, BASE, 2 * NR, MADV_HUGEPAGE));
  if (filled) for (let i = 0; i < NR; i++) host.write(BASE + i, i % 251);
  host.events();
  return { host, device };
}
