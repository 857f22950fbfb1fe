import { fc } from '@hmm/config/property';
import { expect, test } from 'vitest';
import { NO_OWNER } from '@hmm/mmu-notifier';
import {
  allocPage,
  checkMm,
  MADV_DONTNEED,
  mmput,
  type MmStruct,
  PROT_READ,
  sysMadvise,
  sysMprotect,
  sysMunmap,
  cpuReadByte,
  cpuWriteByte,
} from '@hmm/mm';
import { folioPut, NO_PFN, PTE_TYPE_DEVICE_EXCLUSIVE } from '@hmm/mm/internal';
import {
  I23,
  I36,
  I40,
  I42,
  makeDeviceExclusiveRange,
  migrateInvariants,
  migratePfn,
  MIGRATE_PFN_MIGRATE,
} from '@hmm/migrate';
import { BASE, Host, MemoryDriver, RW } from './support.js';

const PAGES = 6;

const span = fc
  .tuple(fc.nat({ max: PAGES - 1 }), fc.integer({ min: 1, max: PAGES }))
  .map(([start, pages]) => ({ start, pages: Math.min(pages, PAGES - start) }));
const step = fc.oneof(
  fc.record({
    op: fc.constant('out' as const),
    span,
    device: fc.nat({ max: 1 }),
    budget: fc.nat({ max: 8 }),
  }),
  fc.record({ op: fc.constant('home' as const), span, device: fc.nat({ max: 1 }) }),
  fc.record({
    op: fc.constant('write' as const),
    page: fc.nat({ max: PAGES - 1 }),
    value: fc.nat({ max: 255 }),
  }),
  fc.record({ op: fc.constant('read' as const), page: fc.nat({ max: PAGES - 1 }) }),
  fc.record({
    op: fc.constant('childWrite' as const),
    page: fc.nat({ max: PAGES - 1 }),
    value: fc.nat({ max: 255 }),
  }),
  fc.record({ op: fc.constant('fork' as const) }),
  fc.record({ op: fc.constant('exit' as const) }),
  fc.record({ op: fc.constant('exclusive' as const), span }),
  fc.record({ op: fc.constant('drop' as const), span }),
  fc.record({ op: fc.constant('protect' as const), span, write: fc.boolean() }),
);

/** What each process must read: its own bytes, whatever was moved where. */
class Model {
  bytes = new Uint8Array(PAGES);
  child: Uint8Array | undefined;
  writable = new Array<boolean>(PAGES).fill(true);
  childWritable: boolean[] = [];
}

function healthy(host: Host, devices: readonly MemoryDriver[]): void {
  for (const [name, rule] of Object.entries(migrateInvariants))
    expect(rule(host.system), name).toBeUndefined();
  expect(I23(host.system)).toBeUndefined();
  expect(checkMm(host.system)).toBeUndefined();
  for (const device of devices) expect(device.broken).toEqual([]);
}

/** The VMA's part of a span: a migration is of one VMA. */
function* parts(host: Host, start: number, pages: number): Generator<[number, number]> {
  for (let at = BASE + start; at < BASE + start + pages;) {
    const end = Math.min(host.vma(at).end, BASE + start + pages);
    yield [at, end - at];
    at = end;
  }
}

/** Makes pages exclusive as a driver does that keeps nothing locked; protected ones refuse. */
function makeExclusive(host: Host, start: number, pages: number): void {
  const { mm, system } = host;
  const got: number[] = [];
  if (!mm.mmapLock.tryReadFast()) throw new Error('mmap_lock is held');
  host.run(makeDeviceExclusiveRange(mm, BASE + start, BASE + start + pages, got, NO_OWNER));
  mm.mmapLock.unlockRead();
  for (const page of got) {
    if (page === NO_PFN) continue;
    system.map.unlock(page);
    folioPut(system, page);
  }
}

const readAll = (host: Host, mm: MmStruct): number[] =>
  Array.from({ length: PAGES }, (_, i) => host.run(cpuReadByte(mm, BASE + i, 0)));

test('whatever is moved, each process reads what it wrote, and the invariants hold after every step', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.boolean(), (steps, coherent) => {
      const host = new Host(2048);
      const devices = [new MemoryDriver(host, 32, coherent), new MemoryDriver(host, 32)];
      const model = new Model();
      let child: MmStruct | undefined;
      host.map(BASE, PAGES);
      for (const s of steps) {
        const device = devices['device' in s ? s.device : 0];
        if (s.op === 'out' && device !== undefined) {
          device.budget = s.budget;
          for (const [at, pages] of parts(host, s.span.start, s.span.pages)) device.toDevice(at, pages);
        } else if (s.op === 'home' && device !== undefined) {
          for (const [at, pages] of parts(host, s.span.start, s.span.pages)) device.toSystem(at, pages);
        } else if (s.op === 'write') {
          const ok = host.write(BASE + s.page, s.value) === 0;
          expect(ok).toBe(model.writable[s.page]);
          if (ok) model.bytes[s.page] = s.value;
        } else if (s.op === 'read') {
          expect(host.read(BASE + s.page)).toBe(model.bytes[s.page]);
        } else if (s.op === 'fork' && child === undefined) {
          child = host.fork();
          model.child = model.bytes.slice();
          model.childWritable = [...model.writable];
        } else if (s.op === 'childWrite' && child !== undefined && model.child !== undefined) {
          const ok = host.run(cpuWriteByte(child, BASE + s.page, 0, s.value)) === 0;
          expect(ok).toBe(model.childWritable[s.page]);
          if (ok) model.child[s.page] = s.value;
        } else if (s.op === 'exit' && child !== undefined) {
          host.run(mmput(child));
          child = undefined;
        } else if (s.op === 'exclusive') {
          makeExclusive(host, s.span.start, s.span.pages);
        } else if (s.op === 'drop') {
          host.run(sysMadvise(host.mm, BASE + s.span.start, s.span.pages, MADV_DONTNEED));
          model.bytes.fill(0, s.span.start, s.span.start + s.span.pages);
        } else if (s.op === 'protect') {
          host.run(sysMprotect(host.mm, BASE + s.span.start, s.span.pages, s.write ? RW : PROT_READ));
          model.writable.fill(s.write, s.span.start, s.span.start + s.span.pages);
        }
        healthy(host, devices);
      }
      if (child !== undefined) {
        expect(readAll(host, child)).toEqual([...(model.child ?? [])]);
        host.run(mmput(child));
      }
      expect(readAll(host, host.mm)).toEqual([...model.bytes]);
      host.run(sysMunmap(host.mm, BASE, PAGES));
      // Every page handed out has come back, once.
      for (const device of devices) {
        expect([device.pgmap.live, device.frees, new Set(device.free).size]).toEqual([0, device.allocs, 32]);
      }
    }),
    { numRuns: 250 },
  );
});

test('each invariant names the state that breaks it', () => {
  const host = new Host();
  const device = new MemoryDriver(host, 16);
  host.map(BASE, 1);
  host.write(BASE, 1);
  const { map, tables } = host.system;
  const broken = (name: string): string | undefined => migrateInvariants[name]?.(host.system);
  device.pgmap.live = 3;
  expect(broken('I34')).toMatch('3 counted');
  device.pgmap.live = 0;
  map.mapping[device.pgmap.start] = 1;
  expect(broken('I33')).toMatch('identity');
  map.mapping[device.pgmap.start] = 0;
  const entry = tables.findPte(host.mm.root, BASE);
  tables.lanes[entry + 1] = device.pgmap.start;
  expect(broken('I32')).toMatch('device-private');
  tables.lanes[entry] = 2 << 12;
  expect(broken('I22')).toMatch('unlocked');
  expect(I23(host.system)).toMatch('is left');
  tables.lanes[entry] = PTE_TYPE_DEVICE_EXCLUSIVE;
  expect(broken('I53')).toMatch('exclusive entry');
});

test('each invariant of a migration names the slot that breaks it', () => {
  const { system } = new Host();
  const { map } = system;
  const [mapped, spare] = [allocPage(system), allocPage(system)];
  map.mapcount[mapped] = 1;
  const [src, dst] = [
    Int32Array.of(migratePfn(mapped) | MIGRATE_PFN_MIGRATE),
    Int32Array.of(migratePfn(spare)),
  ];
  expect(I36(system, mapped)).toMatch('with 1 references');
  expect(I42(system, src, 1)).toMatch('not locked');
  map.tryLock(mapped);
  expect(I42(system, src, 1)).toMatch('is mapped');
  expect(I40(system, src, dst, 1)).toMatch('still locked');
  map.unlock(mapped);
  expect(I40(system, src, dst, 1)).toMatch(`page ${spare} of slot 0 is mapped nowhere`);
  map.mapcount[spare] = 1;
  expect(I40(system, src, dst, 1)).toMatch(`page ${mapped} of slot 0 is still mapped`);
  map.mapcount[mapped] = 0;
  expect(I40(system, src, dst, 1)).toBeUndefined();
});
