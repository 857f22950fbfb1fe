import { Kernel, type MaybeTask, type Task } from '@hmm/kernel';
import { migrateInvariants } from '@hmm/migrate';
import { MMU_NOTIFY_MIGRATE, mmuNotifierInvariants } from '@hmm/mmu-notifier';
import {
  checkMm,
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MemorySystem,
  mmCreate,
  mmput,
  type MmStruct,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
  PROT_WRITE,
  sysMadvise,
  sysMmap,
  sysMprotect,
  sysMremap,
} from '@hmm/mm';
import { fc } from '@hmm/config/property';
import { describe, expect, test } from 'vitest';
import { type Dmirror, I2, MirrorOperations, testDeviceInvariants } from '@hmm/test-device';
import { DPT_XA_TAG_ATOMIC, DPT_XA_TAG_WRITE } from '@hmm/test-device/internal';
import type { TestDeviceWord } from '@hmm/operations/internal';

const PAGES = 8;
const BASE = 0x1_0000_0000;
const RW = PROT_READ | PROT_WRITE;
const CALLS: readonly TestDeviceWord[] = ['dread', 'dwrite', 'todev', 'tosys', 'snap', 'excl', 'chkexcl'];

const page = fc.nat({ max: PAGES - 1 });
const span = fc
  .tuple(page, fc.integer({ min: 1, max: PAGES }))
  .map(([start, pages]) => ({ start: BASE + start, pages: Math.min(pages, PAGES - start) }));
const value = fc.nat({ max: 200 });
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('device' as const),
      call: fc.constantFrom(...CALLS),
      device: fc.nat({ max: 1 }),
      span,
      value,
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('write' as const), page, value }) },
  fc.record({ op: fc.constant('read' as const), page }),
  fc.record({ op: fc.constant('childWrite' as const), page, value }),
  fc.record({ op: fc.constant('fork' as const) }),
  fc.record({ op: fc.constant('exit' as const) }),
  fc.record({ op: fc.constant('drop' as const), span }),
  fc.record({ op: fc.constant('pageout' as const), span }),
  fc.record({ op: fc.constant('protect' as const), span, write: fc.boolean() }),
  fc.record({ op: fc.constant('move' as const), span, to: page }),
  fc.record({ op: fc.constant('release' as const), device: fc.nat({ max: 1 }) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly kernel = new Kernel();
  readonly system = new MemorySystem(this.kernel, {
    frames: 4096,
    systemFrames: 2048,
    maxTables: 256,
    swapSlots: 64,
  });
  readonly devices: MirrorOperations;
  readonly minors: readonly [number, number];
  readonly mm = mmCreate(this.system);
  child: MmStruct | undefined;
  /** What callbacks left in a table. */
  private readonly left: string[] = [];

  constructor(coherent: boolean, corrected: boolean) {
    this.kernel.sched.lockdep.enabled = true;
    this.devices = new MirrorOperations(this.system, { chunkPages: 64, maxTables: 64, corrected });
    this.minors = coherent ? [2, 1] : [0, 1];
    this.run(sysMmap(this.mm, BASE, PAGES, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED));
    for (const minor of this.minors) expect(this.run(this.devices.open(minor, this.mm))).toBe(0);
    for (const dmirror of this.devices.device.mirrors)
      if (dmirror !== undefined) this.watch(dmirror, corrected);
  }

  /** Looks at a mirror's table when one of its callbacks returns that may not let the event pass by. */
  private watch(dmirror: Dmirror, corrected: boolean): void {
    const invalidate = dmirror.invalidate.bind(dmirror);
    dmirror.invalidate = (sub, range, curSeq): MaybeTask<boolean> => {
      const done = invalidate(sub, range, curSeq);
      const own = range.event === MMU_NOTIFY_MIGRATE && range.owner === dmirror.mdevice.owner && !corrected;
      const words = own ? undefined : I2(dmirror, range.start, range.end);
      if (done !== true || words !== undefined) this.left.push(words ?? 'a callback slept');
      return done;
    };
  }

  run<T>(task: Task<T>): T {
    return this.kernel.sched.runSync(task);
  }

  step(s: Step): void {
    const { mm, child } = this;
    switch (s.op) {
      case 'device':
        this.run(
          this.devices.call(this.minors[s.device] ?? 0, mm, s.call, s.span.start, s.span.pages, s.value),
        );
        break;
      case 'write':
        this.run(cpuWriteByte(mm, BASE + s.page, 0, s.value));
        break;
      case 'read':
        this.run(cpuReadByte(mm, BASE + s.page, 0));
        break;
      case 'childWrite':
        if (child !== undefined) this.run(cpuWriteByte(child, BASE + s.page, 0, s.value));
        break;
      case 'fork':
        this.fork();
        break;
      case 'exit':
        if (child !== undefined) this.run(mmput(child));
        this.child = undefined;
        break;
      case 'drop':
        this.run(sysMadvise(mm, s.span.start, s.span.pages, MADV_DONTNEED));
        break;
      case 'pageout':
        this.run(sysMadvise(mm, s.span.start, s.span.pages, MADV_PAGEOUT));
        break;
      case 'protect':
        this.run(sysMprotect(mm, s.span.start, s.span.pages, s.write ? RW : PROT_READ));
        break;
      case 'move': {
        const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
        this.run(sysMremap(mm, s.span.start, s.span.pages, s.span.pages, flags, BASE + PAGES + s.to));
        this.run(sysMmap(mm, s.span.start, s.span.pages, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED));
        break;
      }
      case 'release':
        this.release(s.device);
    }
  }

  private fork(): void {
    if (this.child !== undefined) return;
    const child = this.run(dupMm(this.mm));
    if (typeof child !== 'number') this.child = child;
  }

  /** Dropping coherent memory waits for ever while a page of it is exclusive: the real device hangs there. */
  private release(device: number): void {
    const minor = this.minors[device] ?? 0;
    if (minor < 2) this.run(this.devices.call(minor, this.mm, 'drelease', BASE, 1, 0));
  }

  broken(): string[] {
    const found = [...this.left];
    const note = (name: string, words: string | undefined): void => {
      if (words !== undefined) found.push(`${name}: ${words}`);
    };
    for (const [name, rule] of Object.entries(testDeviceInvariants)) note(name, rule(this.devices.device));
    for (const [name, rule] of Object.entries(migrateInvariants)) note(name, rule(this.system));
    const subs = this.mm.notifierSubscriptions;
    note('mm', checkMm(this.system));
    if (subs !== undefined)
      for (const [name, rule] of Object.entries(mmuNotifierInvariants)) note(name, rule(subs));
    return found;
  }

  close(): void {
    if (this.child !== undefined) this.run(mmput(this.child));
    this.run(mmput(this.mm));
    expect(this.broken()).toEqual([]);
    this.run(this.devices.closeAll(this.mm));
  }
}

describe.each([
  { coherent: false, corrected: false },
  { coherent: true, corrected: false },
  { coherent: false, corrected: true },
  { coherent: true, corrected: true },
])('coherent $coherent, corrected $corrected', ({ coherent, corrected }) => {
  test('any sequence of operations keeps the invariants and the lock order, and nothing is left when all is closed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const world = new World(coherent, corrected);
        for (const s of steps) {
          world.step(s);
          expect(world.broken()).toEqual([]);
        }
        world.close();
        expect(world.broken()).toEqual([]);
        expect(world.system.pages.free).toBe(2048 - 1024);
      }),
      { numRuns: 120 },
    );
  });
});

test('each invariant names the state that breaks it', () => {
  const world = new World(false, false);
  world.step({ op: 'write', page: 0, value: 3 });
  world.step({ op: 'device', call: 'dread', device: 0, span: { start: BASE, pages: 1 }, value: 0 });
  const { device } = world.devices;
  const broken = (name: string): string | undefined => testDeviceInvariants[name]?.(device);
  const table = device.mirrors[1]?.pt;
  expect(broken('I1')).toBeUndefined();
  table?.store(BASE + 1, 1500, 0);
  expect(broken('I1')).toMatch('maps frame 1500');
  expect(broken('I5')).toMatch('free page 1500');
  table?.store(BASE + 1, device.devices[0]?.chunks[0]?.pagemap.start ?? 0, 0);
  expect(broken('I6')).toMatch('private page');
  table?.store(BASE + 1, 1500, DPT_XA_TAG_WRITE);
  expect(broken('I3')).toMatch('writes');
  expect(broken('I52')).toBeUndefined();
  table?.store(BASE + 1, 1500, DPT_XA_TAG_ATOMIC);
  expect(broken('I52')).toMatch('for itself');
  world.step({ op: 'device', call: 'excl', device: 0, span: { start: BASE, pages: 1 }, value: 0 });
  expect(broken('I51')).toBeUndefined();
  device.mirrors.find((other) => other !== undefined && other.pt !== table)?.pt.store(BASE, 1500, 0);
  expect(broken('I51')).toMatch('2 tables');
  expect(broken('I63')).toBeUndefined();
  world.mm.users = 0;
  expect(broken('I63')).toMatch('which is gone');
  const dmirror = device.mirrors.find((mirror) => mirror !== undefined);
  expect(dmirror === undefined ? '' : I2(dmirror, BASE, BASE + 1)).toMatch('still maps');
  expect(broken('I33')).toBeUndefined();
  const first = device.devices[1];
  if (first !== undefined) first.calloc++;
  expect(broken('I33')).toMatch('counts 1');
});
