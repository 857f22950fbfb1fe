import { Dpor, Explorer, type Model } from '@hmm/explore';
import { type Outcome } from '@hmm/explore/internal';
import { HmmError, Kernel, SP_PREEMPT, type Task } from '@hmm/kernel';
import { SavedState } from '@hmm/kernel/internal';
import {
  memremapPages,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_WRITE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  type MigrateVma,
  migratePfn,
  migratePfnToPage,
  migrateVmaFinalize,
  migrateVmaPages,
  migrateVmaSetup,
  zoneDevicePageInit,
} from '@hmm/migrate';
import {
  allocPage,
  cpuReadByte,
  cpuWriteByte,
  type DevPagemap,
  type DevPagemapOps,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MEMORY_DEVICE_PRIVATE,
  MemorySystem,
  mmCreate,
  type MmStruct,
  PROT_READ,
  PROT_WRITE,
  sysMmap,
  type VmFault,
  type Vma,
  vmaLookup,
} from '@hmm/mm';
import { copyHighpage, NO_PFN } from '@hmm/mm/internal';
import { bareSteps } from './bare-steps.js';

const MAX_STEPS = 200;
const SECONDS = 1;
const ADDRESS = 1 << 20;
const VALUE = 5;
const DEVICE_PAGES = 8;

/** A process's page moves to a device's memory while the process reads it: the smallest driver on the real core. */
class CpuFaultVersusMigrate implements Model, DevPagemapOps {
  readonly name = 'CPU fault versus migrate';
  readonly kernel = new Kernel();
  readonly sched = this.kernel.sched;
  private readonly system = new MemorySystem(this.kernel, {
    frames: 1536 + DEVICE_PAGES,
    systemFrames: 1536,
    maxTables: 8,
    swapSlots: 8,
    quarantine: true,
  });
  private readonly mm: MmStruct = mmCreate(this.system);
  private readonly owner = this.kernel.allocIds(1);
  private readonly pagemap: DevPagemap;
  private readonly initial: SavedState;
  /** By agent. */
  private readonly src: Int32Array[] = [];
  private readonly dst: Int32Array[] = [];
  /** By pages on the device. */
  private readonly texts: string[] = [];
  private next = 0;
  private value = -1;

  constructor() {
    const spec = { type: MEMORY_DEVICE_PRIVATE, nr: DEVICE_PAGES, owner: this.owner, ops: this };
    const pagemap = memremapPages(this.system, spec);
    if (typeof pagemap === 'number') throw new HmmError('NO_MEMORY', 'no device memory', { pagemap });
    this.pagemap = pagemap;
    const { mm, sched, system } = this;
    sched.runSync(sysMmap(mm, ADDRESS, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS));
    sched.runSync(cpuWriteByte(mm, ADDRESS, 0, VALUE));
    this.initial = new SavedState([system], [this]);
  }

  /** @inheritdoc */
  start(): void {
    this.sched.reset();
    this.initial.restore();
    this.next = 0;
    this.value = -1;
    this.sched.spawn('migrate', this.toDevice());
    this.sched.spawn('cpu', this.read());
  }

  /** @inheritdoc */
  finish(): Outcome {
    const { value } = this;
    const text = (this.texts[this.pagemap.live] ??= `${this.pagemap.live} pages on the device`);
    if (value === VALUE) return { text };
    return { text, violation: { invariant: 'I39', detail: `${value} was read, ${text}` } };
  }

  /** @inheritdoc */
  pageFree(): void {
    // Pages are not used again.
  }

  /** @inheritdoc */
  migrateToRam({ vma, vpn, page }: VmFault): Task<number> {
    return this.migrate(vma, vpn, MIGRATE_VMA_SELECT_DEVICE_PRIVATE, page);
  }

  private *read(): Task {
    yield SP_PREEMPT;
    this.value = yield* cpuReadByte(this.mm, ADDRESS, 0);
  }

  private *toDevice(): Task {
    const { mm } = this;
    if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
    const vma = vmaLookup(mm, ADDRESS);
    if (vma !== undefined) yield* this.migrate(vma, ADDRESS, MIGRATE_VMA_SELECT_SYSTEM, NO_PFN);
    mm.mmapLock.unlockRead();
  }

  private *migrate(vma: Vma, vpn: number, select: number, faultPage: number): Task<number> {
    const { sched, system } = this;
    const src = (this.src[sched.current.id] ??= new Int32Array(1));
    const dst = (this.dst[sched.current.id] ??= new Int32Array(1));
    const args: MigrateVma = {
      vma,
      start: vpn,
      end: vpn + 1,
      src,
      dst,
      cpages: 0,
      npages: 0,
      pgmapOwner: this.owner,
      flags: select,
      faultPage,
    };
    dst[0] = 0;
    yield* migrateVmaSetup(args);
    const slot = src[0] ?? 0;
    if ((slot & MIGRATE_PFN_MIGRATE) !== 0) {
      const page = select === MIGRATE_VMA_SELECT_SYSTEM ? this.devicePage() : this.systemPage();
      copyHighpage(system, page, migratePfnToPage(slot));
      dst[0] = migratePfn(page) | (slot & MIGRATE_PFN_WRITE);
    }
    if (sched.exploring) yield SP_PREEMPT;
    yield* migrateVmaPages(args);
    yield* migrateVmaFinalize(args);
    return 0;
  }

  private devicePage(): number {
    const page = this.pagemap.start + this.next++;
    zoneDevicePageInit(this.system, page);
    return page;
  }

  private systemPage(): number {
    const page = allocPage(this.system);
    this.system.map.tryLock(page);
    return page;
  }
}

/** Explores the test again and again. */
function rate(): { executions: number; steps: number } {
  const model = new CpuFaultVersusMigrate();
  const strategy = new Dpor(MAX_STEPS);
  let executions = 0;
  let steps = 0;
  const begin = performance.now();
  let seconds = 0;
  while (seconds < SECONDS) {
    const explorer = new Explorer(model, strategy, { maxSteps: MAX_STEPS });
    strategy.restart();
    while (explorer.run(100));
    if (explorer.violations.size > 0) throw new Error([...explorer.violations.keys()].join());
    executions += explorer.executions;
    steps += explorer.steps;
    seconds = (performance.now() - begin) / 1000;
  }
  return { executions: executions / seconds, steps: steps / seconds };
}

export const benchmarks = [
  {
    name: 'CPU fault versus migrate on the real core, reduced search: executions',
    unit: 'K/s',
    goal: 50,
    run: () => ({ value: rate().executions / 1e3, reference: bareSteps() }),
  },
  {
    name: 'CPU fault versus migrate on the real core, reduced search: steps',
    unit: 'M/s',
    run: () => ({ value: rate().steps / 1e6 }),
  },
];
