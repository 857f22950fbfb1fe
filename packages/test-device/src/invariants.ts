/**
 * The safety invariants that speak of the test device's state, as predicates: the broken rule in words, or undefined. I1,
 * I3, I51 and I52 hold while no operation is in progress.
 *
 * @packageDocumentation
 */
import { VM_READ, VM_WRITE, vmaLookup } from '@hmm/mm';
import {
  isDeviceExclusivePte,
  isDevicePrivatePte,
  NO_PFN,
  pagemapOf,
  PG_free,
  PG_reserved,
  PG_zone_device_private,
  PTE_HUGE,
  PTE_PRESENT,
  PTE_WRITE,
  findPmd,
} from '@hmm/mm/internal';
import { DPT_XA_TAG_ATOMIC, DPT_XA_TAG_WRITE } from './device-table.js';
import type { Dmirror } from './dmirror.js';
import type { TestDevice } from './test-device.js';

/** What a broken invariant says; undefined where it holds. */
export type Broken = string | undefined;

/** An entry of a mirror's table. */
export interface MirrorTableEntry {
  readonly dmirror: Dmirror;
  readonly vpn: number;
  readonly pfn: number;
  readonly tag: number;
}

/** Every entry of every mirror's table: who asks for several invariants reads the tables once. */
export function mirrorEntries(driver: TestDevice): MirrorTableEntry[] {
  const entries: MirrorTableEntry[] = [];
  for (const dmirror of driver.mirrors) {
    dmirror?.pt.forEach((vpn, pfn, tag) => entries.push({ dmirror, vpn, pfn, tag }));
  }
  return entries;
}

/** A rule over every entry; the first word it gives is the answer. */
function overEntries(
  entries: readonly MirrorTableEntry[],
  rule: (dmirror: Dmirror, vpn: number, pfn: number, tag: number) => Broken,
): Broken {
  for (const { dmirror, vpn, pfn, tag } of entries) {
    const broken = rule(dmirror, vpn, pfn, tag);
    if (broken !== undefined) return broken;
  }
  return undefined;
}

/** The CPU's entry for a page, its huge mapping if it has one: flags and the frame of this very page. */
function cpuEntry(dmirror: Dmirror, vpn: number): { flags: number; pfn: number } {
  const { mm } = dmirror;
  const { tables } = mm.system;
  const entry = tables.findPte(mm.root, vpn);
  if (entry >= 0) return { flags: tables.lanes[entry] ?? 0, pfn: tables.lanes[entry + 1] ?? 0 };
  const pmd = findPmd(mm, vpn);
  const flags = pmd < 0 ? 0 : (tables.lanes[pmd] ?? 0);
  if ((flags & PTE_HUGE) === 0) return { flags: 0, pfn: NO_PFN };
  return { flags, pfn: (tables.lanes[pmd + 1] ?? 0) + (vpn & 511) };
}

/** I1: what the device maps is what the process maps: the same page, or the page that backs its own private one. */
export function I1(driver: TestDevice, entries = mirrorEntries(driver)): Broken {
  return overEntries(entries, (dmirror, vpn, pfn) => {
    const cpu = cpuEntry(dmirror, vpn);
    const { mdevice } = dmirror;
    const own =
      isDevicePrivatePte(cpu.flags) && pagemapOf(mdevice.system, cpu.pfn)?.owner === mdevice.owner
        ? mdevice.backingPage(cpu.pfn)
        : NO_PFN;
    const same = (cpu.flags & PTE_PRESENT) !== 0 || isDeviceExclusivePte(cpu.flags) ? cpu.pfn : own;
    return same === pfn
      ? undefined
      : `device ${mdevice.minor} maps frame ${pfn} at ${vpn}, the process ${same}`;
  });
}

/** I2, of the moment when the callback for the pages [first, end) returns: the device maps none of them. */
export function I2(dmirror: Dmirror, first: number, end: number): Broken {
  let broken: Broken;
  dmirror.pt.forEach((vpn) => {
    if (vpn >= first && vpn < end) broken ??= `device ${dmirror.mdevice.minor} still maps ${vpn}`;
  });
  return broken;
}

/** I3: the device may do no more than the CPU's entry and the VMA allow. */
export function I3(driver: TestDevice, entries = mirrorEntries(driver)): Broken {
  return overEntries(entries, (dmirror, vpn, _pfn, tag) => {
    const vma = vmaLookup(dmirror.mm, vpn);
    if (vma === undefined || (vma.flags & VM_READ) === 0)
      return `the device reads ${vpn}, which the process may not`;
    if ((tag & (DPT_XA_TAG_WRITE | DPT_XA_TAG_ATOMIC)) !== DPT_XA_TAG_WRITE) return undefined;
    const writable = (cpuEntry(dmirror, vpn).flags & PTE_WRITE) !== 0 && (vma.flags & VM_WRITE) !== 0;
    return writable ? undefined : `the device writes ${vpn}, which the process may not`;
  });
}

/** I5: no table names a free page. */
export function I5(driver: TestDevice, entries = mirrorEntries(driver)): Broken {
  return overEntries(entries, (dmirror, vpn, pfn) => {
    const { map } = dmirror.mm.system;
    if (map.test(pfn, PG_reserved)) return undefined;
    const free = map.refcount[map.folio(pfn)] === 0 || map.test(pfn, PG_free);
    return free ? `the entry for ${vpn} names the free page ${pfn}` : undefined;
  });
}

/** I6: no table names a page that holds no data, as private memory of any device is. */
export function I6(driver: TestDevice, entries = mirrorEntries(driver)): Broken {
  return overEntries(entries, (dmirror, vpn, pfn) => {
    const bare = dmirror.mm.system.map.test(pfn, PG_zone_device_private);
    return bare ? `the entry for ${vpn} names the private page ${pfn} itself` : undefined;
  });
}

/** I51: a page that one device has for itself is in no other table of the process. */
export function I51(driver: TestDevice, entries = mirrorEntries(driver)): Broken {
  return overEntries(entries, (dmirror, vpn) => {
    if (!isDeviceExclusivePte(cpuEntry(dmirror, vpn).flags)) return undefined;
    const sharers = driver.mirrors.filter((other) => other?.mm === dmirror.mm && other.pt.tag(vpn) !== 0);
    return sharers.length === 1 ? undefined : `${sharers.length} tables have ${vpn}, which is exclusive`;
  });
}

/** I52: where a device's table says that it has a page for itself, the CPU's entry says so too. */
export function I52(driver: TestDevice, entries = mirrorEntries(driver)): Broken {
  return overEntries(entries, (dmirror, vpn, _pfn, tag) =>
    (tag & DPT_XA_TAG_ATOMIC) === 0 || isDeviceExclusivePte(cpuEntry(dmirror, vpn).flags)
      ? undefined
      : `device ${dmirror.mdevice.minor} has ${vpn} for itself, the process knows nothing of it`,
  );
}

/** I63: of an address space that is torn down no device maps anything. */
export function I63(driver: TestDevice, entries = mirrorEntries(driver)): Broken {
  return overEntries(entries, ({ mm, mdevice }, vpn) =>
    mm.users > 0 ? undefined : `device ${mdevice.minor} maps ${vpn} of mm ${mm.id}, which is gone`,
  );
}

/** I33, the driver's half: each free page is on the stack once, and the counters tell how many are in use. */
export function I33(driver: TestDevice): Broken {
  for (const device of driver.devices) {
    const { map } = device.system;
    const seen = new Set<number>();
    for (let page = device.freePages; page !== NO_PFN; page = map.private[page] ?? NO_PFN) {
      if (seen.has(page)) return `page ${page} of device ${device.minor} is on the stack twice`;
      if (map.refcount[page] !== 0)
        return `page ${page} of device ${device.minor} is on the stack while it is in use`;
      seen.add(page);
    }
    let live = 0;
    let all = 0;
    for (const { pagemap } of device.chunks) {
      live += pagemap.live;
      all += pagemap.nr;
    }
    if (seen.size + live !== all)
      return `device ${device.minor} has ${all} pages: ${seen.size} free, ${live} in use`;
    if (device.calloc - device.cfree !== live)
      return `device ${device.minor} counts ${device.calloc - device.cfree} in use`;
  }
  return undefined;
}

/** All invariants of this package, by name. */
export const testDeviceInvariants: Readonly<
  Record<string, (driver: TestDevice, entries?: MirrorTableEntry[]) => Broken>
> = {
  I1,
  I3,
  I5,
  I6,
  I33,
  I51,
  I52,
  I63,
};
