import { FIRST_PFN, mmInvariants, PG_locked, PG_reserved, takeCensus, usedFrames } from '@hmm/mm';
import { migrateInvariants } from '@hmm/migrate';
import { mmuNotifierInvariants } from '@hmm/mmu-notifier';
import type { Violation } from '../engine/model.js';
import { dataFrame, pageName, type World } from './world.js';

/**
 * What must hold after every step, about the pages `pages` of all processes.
 *
 * I5: no device's table names a free page.
 */
export function checkWorld(world: World, pages: readonly number[]): Violation | undefined {
  const { devices, system } = world;
  const { mirrors } = devices;
  for (let i = 0; i < mirrors.length; i++) {
    for (const vpn of pages) {
      const entry = devices.entryAt(i, vpn);
      if (entry < 0 || (system.map.refcount[entry >>> 2] ?? 0) > 0) continue;
      if (system.map.test(entry >>> 2, PG_reserved)) continue;
      const device = mirrors[i]?.device ?? 0;
      return {
        invariant: 'I5',
        detail: `device ${device} maps page ${pageName(vpn)} to frame ${entry >>> 2}, which is free`,
      };
    }
  }
  return undefined;
}

/** What must hold when all agents are done. */
export function checkWorldAtEnd(world: World, pages: readonly number[]): Violation | undefined {
  return (
    checkWorld(world, pages) ?? checkMirrors(world, pages) ?? checkPackages(world) ?? checkLeftovers(world)
  );
}

/** I1: what a device maps is what the process maps. */
function checkMirrors(world: World, pages: readonly number[]): Violation | undefined {
  const { devices } = world;
  const { mirrors } = devices;
  for (let i = 0; i < mirrors.length; i++) {
    const mirror = mirrors[i];
    if (mirror === undefined) continue;
    for (const vpn of pages) {
      const entry = devices.entryAt(i, vpn);
      if (entry < 0) continue;
      const frame = dataFrame(world, mirror.mm, vpn);
      if (frame === entry >>> 2) continue;
      const cpu = frame === 0 ? 'nothing' : `frame ${frame}`;
      const detail = `device ${mirror.device} maps page ${pageName(vpn)} to frame ${entry >>> 2}, the process to ${cpu}`;
      return { invariant: 'I1', detail };
    }
  }
  return undefined;
}

/** Those of the memory management; frames in quarantine are neither free nor in use. */
const MM_INVARIANTS = Object.entries(mmInvariants).filter(([name]) => name !== 'freeFrames');
const MIGRATE_INVARIANTS = Object.entries(migrateInvariants);
const NOTIFIER_INVARIANTS = Object.entries(mmuNotifierInvariants);

/** I60: no page is still locked. I13: every invalidation that began has ended. I62: nobody still holds a process that nobody runs. */
function checkLeftovers(world: World): Violation | undefined {
  const { map } = world.system;
  for (const [start, end] of usedFrames(world.system)) {
    for (let pfn = Math.max(start, FIRST_PFN); pfn < end; pfn++) {
      if (((map.flags[pfn] ?? 0) & PG_locked) === 0) continue;
      return { invariant: 'I60', detail: `frame ${pfn} is still locked` };
    }
  }
  for (const mm of world.system.mms) {
    const running = mm.notifierSubscriptions?.activeInvalidateRanges ?? 0;
    if (running !== 0)
      return { invariant: 'I13', detail: `${running} invalidations were begun and not ended` };
  }
  const { users } = world.main;
  return users === 1 ? undefined : { invariant: 'I62', detail: `the process has ${users} users` };
}

/** The invariants that the packages below export. */
function checkPackages(world: World): Violation | undefined {
  const { system } = world;
  const census = takeCensus(system, world.census);
  for (const [invariant, broken] of MM_INVARIANTS) {
    const detail = broken(system, census);
    if (detail !== undefined) return { invariant, detail };
  }
  for (const [invariant, broken] of MIGRATE_INVARIANTS) {
    const detail = broken(system, census);
    if (detail !== undefined) return { invariant, detail };
  }
  for (const mm of system.mms) {
    if (mm.notifierSubscriptions === undefined) continue;
    for (const [invariant, broken] of NOTIFIER_INVARIANTS) {
      const detail = broken(mm.notifierSubscriptions);
      if (detail !== undefined) return { invariant, detail };
    }
  }
  return undefined;
}
