import { AGENT_DONE, AGENT_READY } from '@hmm/kernel';
import { mmInvariants, takeCensus } from '@hmm/mm';
import { PG_reserved } from '@hmm/mm/internal';
import { I23, migrateInvariants } from '@hmm/migrate';
import { mmuNotifierInvariants } from '@hmm/mmu-notifier';
import type { Violation } from '../engine/model.js';
import { dataFrame, pageName, type World } from './world.js';

/**
 * Of `@hmm/mm`: those that speak of what is counted or released when an operation ends. While one is under way it holds
 * references and locks that no table shows, and has taken VMAs out of one list and not yet of the other.
 */
const MM_AT_REST: ReadonlySet<string> = new Set(['I19', 'I60', 'I62', 'vmaTrees']);
/** A system call changes a VMA first and its entries afterwards; until it drops `mmap_lock` they disagree. */
const MM_UNLOCKED: ReadonlySet<string> = new Set(['I27']);
/** Frames in quarantine are neither free nor in use. */
const MM_NEVER: ReadonlySet<string> = new Set(['freeFrames']);

const MM_INVARIANTS = Object.entries(mmInvariants).filter(([name]) => !MM_NEVER.has(name));
const AT_REST = MM_INVARIANTS.filter(([name]) => MM_AT_REST.has(name));
const UNLOCKED = MM_INVARIANTS.filter(([name]) => MM_UNLOCKED.has(name));
const EACH_STEP = [
  ...MM_INVARIANTS.filter(([name]) => !MM_AT_REST.has(name) && !MM_UNLOCKED.has(name)),
  ...Object.entries(migrateInvariants),
];
const NOTIFIER = Object.entries(mmuNotifierInvariants);

/**
 * What must hold after a step, about the pages `pages` of all processes: always what a state shows at any time; once all
 * agents are between two operations also what holds then.
 * @param wrote whether the step wrote to shared state. Where not, it has broken nothing that was whole.
 */
export function checkWorld(world: World, pages: readonly number[], wrote = true): Violation | undefined {
  const broken = checkFreePages(world, pages) ?? checkNotifiers(world);
  if (broken !== undefined) return broken;
  const rest = atRest(world);
  if (!wrote && !rest) return undefined;
  return (
    checkMemory(world, pages, rest) ??
    world.devices.checkClient?.(pages, rest) ??
    (rest ? checkRest(world) : undefined)
  );
}

/** What must hold when all agents are done. */
export function checkWorldAtEnd(world: World, pages: readonly number[]): Violation | undefined {
  return (
    checkFreePages(world, pages) ??
    checkNotifiers(world) ??
    checkMirrors(world, pages) ??
    checkMemory(world, undefined, true) ??
    checkRest(world) ??
    checkUsers(world) ??
    world.devices.checkClient?.(pages, true) ??
    world.devices.checkAtEnd?.(pages)
  );
}

/** Whether every agent is done or between two operations. */
function atRest({ kernel, places }: World): boolean {
  for (const { id, state } of kernel.sched.agents) {
    if (id === 0 || state === AGENT_DONE) continue;
    if (state !== AGENT_READY || ((places.parked >>> id) & 1) === 0) return false;
  }
  return true;
}

/** I5: no device's table names a free page. */
function checkFreePages({ devices, system }: World, pages: readonly number[]): Violation | undefined {
  const { mirrors } = devices;
  const { map } = system;
  for (let i = 0; i < mirrors.length; i++) {
    for (const vpn of pages) {
      const entry = devices.entryAt(i, vpn);
      // A page of a huge folio is as free as its head.
      if (entry < 0 || (map.refcount[map.folio(entry >>> 2)] ?? 0) > 0) continue;
      if (map.test(entry >>> 2, PG_reserved)) continue;
      const device = mirrors[i]?.device ?? 0;
      return {
        invariant: 'I5',
        detail: `device ${device} maps page ${pageName(vpn)} to frame ${entry >>> 2}, which is free`,
      };
    }
  }
  return undefined;
}

/** I9 to I11, I16: the sequence and the tree, in every state. */
function checkNotifiers({ system }: World): Violation | undefined {
  for (const { notifierSubscriptions } of system.mms) {
    if (notifierSubscriptions === undefined) continue;
    for (const [invariant, broken] of NOTIFIER) {
      const detail = broken(notifierSubscriptions);
      if (detail !== undefined) return { invariant, detail };
    }
  }
  return undefined;
}

/** The invariants of memory and of device memory. @param pages the only ones that are mapped, where the caller knows them. */
function checkMemory(
  { system, census: memory }: World,
  pages: readonly number[] | undefined,
  rest: boolean,
): Violation | undefined {
  const census = takeCensus(system, memory, pages);
  const lists = [EACH_STEP];
  if (system.mms.every(({ mmapLock }) => mmapLock.writer < 0 && mmapLock.readers === 0)) lists.push(UNLOCKED);
  if (rest) lists.push(AT_REST);
  for (const list of lists) {
    for (const [invariant, broken] of list) {
      const detail = broken(system, census);
      if (detail !== undefined) return { invariant, detail };
    }
  }
  const left = rest ? I23(system, census) : undefined;
  return left === undefined ? undefined : { invariant: 'I23', detail: left };
}

/** I13: every invalidation that began has ended. And what the devices say of themselves. */
function checkRest({ devices, system }: World): Violation | undefined {
  for (const { id, notifierSubscriptions } of system.mms) {
    const running = notifierSubscriptions?.activeInvalidateRanges ?? 0;
    if (running !== 0)
      return { invariant: 'I13', detail: `${running} invalidations of mm ${id} were begun and not ended` };
  }
  return devices.checkAtRest?.();
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

/** I62: nobody still holds a process that nobody runs. */
function checkUsers({ main }: World): Violation | undefined {
  const { users } = main;
  return users === 1 ? undefined : { invariant: 'I62', detail: `the process has ${users} users` };
}
