import { EFAULT, EOPNOTSUPP, EPERM, HmmError, Kernel, type Task } from '@hmm/kernel';
import {
  DIRECT_DMA,
  ibUmemOdpAllocChild,
  ibUmemOdpAllocImplicit,
  ibUmemOdpGet,
  ibUmemOdpMapDmaAndLock,
  MmputQueue,
  ODP_INTENDED,
  ODP_READ,
  type RdmaClient,
  type RdmaMr,
  type VerbResult,
  type VerbsProcess,
} from '@hmm/ib-core';
import { DMA_MAPPING_ERROR, type DmaDevice } from '@hmm/mirror';
import {
  cpuReadByte,
  cpuWriteByte,
  dupMm,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MemorySystem,
  mmCreate,
  mmput,
  type MmStruct,
  sysMadvise,
  sysMmap,
  sysMunmap,
} from '@hmm/mm';
import { Mlx5Client, Mlx5Driver, mlx5IbPfault, MLX5_TRANSPORT } from '@hmm/mlx5-model';
import { mmuIntervalNotifierInsert, mmuIntervalSetSeq, type MmuIntervalNotifier } from '@hmm/mmu-notifier';
import { IB_ACCESS_HUGETLB, postSend, QueuePair } from '@hmm/rdma-nic';
import { isOdp, RxeClient, rxeOdpMapRangeAndLock } from '@hmm/rxe-model';

// Scenarios of regions on demand, which no litmus test can have as the test device has none.

const PAGE = 4096;
/** On demand, with all that a peer may do; and for reading alone. */
const ALL = 64 | 15;
const READ_ONLY = 64 | 4;
const MEMORY = { frames: 8192, systemFrames: 8192, maxTables: 256 };

/** A process with 16 pages, an adapter, and its verbs. */
class OnDemand<Mr extends RdmaMr> {
  readonly kernel: Kernel;
  readonly mm: MmStruct;
  readonly vpn: number;
  readonly verbs: VerbsProcess<Mr>;

  constructor(make: (memory: MemorySystem) => RdmaClient<Mr>) {
    this.kernel = new Kernel();
    const memory = new MemorySystem(this.kernel, MEMORY);
    const client = make(memory);
    for (const { name, task } of client.workers()) this.kernel.sched.spawnDaemon(name, task);
    this.mm = mmCreate(memory);
    const opened = this.run(client.openProcess(this.mm));
    if (!opened.ok) throw new HmmError('NO_DEVICE', opened.reason);
    this.verbs = opened.process.verbs;
    this.vpn = this.run(sysMmap(this.mm, 0, 16, 3, MAP_PRIVATE | MAP_ANONYMOUS));
  }

  run<T>(task: Task<T>): T {
    const done: { value?: T } = {};
    this.kernel.sched.spawn('scenario', store(task, done));
    this.kernel.sched.run();
    if (!('value' in done)) throw new HmmError('NOT_DONE', 'the scenario did not come to its end');
    return done.value;
  }

  store(page: number, value: number): void {
    this.run(cpuWriteByte(this.mm, this.vpn + page, 0, value));
  }

  load(mm: MmStruct, page: number): number {
    return this.run(cpuReadByte(mm, this.vpn + page, 0));
  }
}

function* store<T>(task: Task<T>, done: { value?: T }): Task {
  done.value = yield* task;
}

function* after(wait: Task, task: Task<unknown>): Task {
  yield* wait;
  yield* task;
}

const onRxe = (): OnDemand<RdmaMr> => new OnDemand<RdmaMr>((memory) => new RxeClient(memory));
const at = (page: number, pages = 1): { mr: number; page: number; pages: number; shift: number } => ({
  mr: 0,
  page,
  pages,
  shift: 0,
});

/** After a fork the adapter reads a page, and then writes it: the child must not see that. */
function writeAfterFork(): string | undefined {
  const on = onRxe();
  on.store(0, 5);
  on.run(on.verbs.register(0, on.vpn, 1, ALL));
  const child = on.run(dupMm(on.mm));
  if (typeof child === 'number') return 'fork';
  on.run(on.verbs.read(at(0)));
  on.run(on.verbs.write(at(0), 7));
  return on.load(child, 0) === 5 ? undefined : 'OI3';
}

/** A write through a region that may not be written is refused, and leaves the mutex free. */
function refusedWrite(): string | undefined {
  const on = new OnDemand((memory) => new RxeClient(memory));
  on.run(on.verbs.register(0, on.vpn, 1, READ_ONLY));
  const mr = on.verbs.region(0);
  if (mr === undefined || !isOdp(mr)) return 'region';
  on.run(rxeOdpMapRangeAndLock(mr.umem, on.vpn * PAGE, 8, true));
  return mr.umem.umemMutex.owner < 0 ? undefined : 'OI14';
}

/** A fault has walked and waits for the mutex, which an invalidation of its page gets first. */
function faultMeetsDontneed(): string | undefined {
  const on = new OnDemand((memory) => new RxeClient(memory));
  const { sched } = on.kernel;
  on.run(on.verbs.register(0, on.vpn, 1, ALL));
  on.store(0, 5);
  const mr = on.verbs.region(0);
  if (mr === undefined || !isOdp(mr)) return 'region';
  const { umem } = mr;
  function* hold(): Task {
    yield* umem.umemMutex.lock();
    yield* sched.delay(100_000);
    umem.umemMutex.unlock();
  }
  function* fault(): Task {
    yield* sched.delay(20);
    if ((yield* ibUmemOdpMapDmaAndLock(umem, on.vpn * PAGE, 8, ODP_READ, true)) >= 0) umem.umemMutex.unlock();
  }
  sched.spawn('holder', hold());
  sched.spawn('dontneed', after(sched.delay(10), sysMadvise(on.mm, on.vpn, 1, MADV_DONTNEED)));
  sched.spawn('fault', fault());
  sched.run();
  // Another page may get the frame, and this one another.
  on.store(1, 7);
  on.store(0, 9);
  return on.run(on.verbs.read(at(0))).values[0] === 9 ? undefined : 'I1';
}

/** A region is deregistered while an invalidation is on its way to its callback. */
function deregUnderInvalidation(): string | undefined {
  const on = onRxe();
  const { sched } = on.kernel;
  on.store(0, 5);
  on.store(1, 6);
  on.run(on.verbs.register(0, on.vpn + 1, 1, ALL));
  function* slowly(sub: MmuIntervalNotifier, seq: number): Task<boolean> {
    mmuIntervalSetSeq(sub, seq);
    yield* sched.delay(100_000);
    return true;
  }
  on.run(mmuIntervalNotifierInsert(on.mm, on.vpn, 1, { invalidate: (sub, _range, seq) => slowly(sub, seq) }));
  sched.spawn('cpu', sysMunmap(on.mm, on.vpn, 2));
  sched.spawn('dereg', after(sched.delay(1000), on.verbs.deregister(0)));
  sched.run();
  return undefined;
}

/** An implicit region for reading: its leaves ask for reading. */
function implicitReadOnly(): string | undefined {
  const on = new OnDemand((memory) => new Mlx5Client(memory));
  on.run(on.verbs.register(0, 0, 0, READ_ONLY));
  on.run(on.verbs.read(at(on.vpn)));
  return on.mm.rssAnon === 0 ? undefined : 'OI3';
}

/** Advice about a region of another protection domain. */
function adviceOfAnotherDomain(): string | undefined {
  const on = new OnDemand((memory) => new Mlx5Client(memory));
  on.run(on.verbs.register(0, on.vpn, 1, ALL));
  const mr = on.verbs.region(0);
  if (mr === undefined) return 'region';
  const segment = { key: mr.key, addr: mr.iova, length: PAGE };
  const device = new Mlx5Driver(on.mm.system);
  device.odpMkeys.set(mr.key, mr);
  return on.run(device.adviseMr(mr.pd + 1, 0, [segment])) === -EPERM ? undefined : 'access';
}

/** A leaf gets empty and goes; then its parent is deregistered. */
function emptyLeafThenDereg(): string | undefined {
  const on = new OnDemand(
    (memory) => new Mlx5Client(memory, 'connectx-6', { ...MLX5_TRANSPORT, leafPages: 512 }),
  );
  on.run(on.verbs.register(0, 0, 0, ALL));
  on.store(0, 5);
  on.run(on.verbs.read(at(on.vpn)));
  on.run(sysMunmap(on.mm, on.vpn, 1));
  on.run(on.verbs.deregister(0));
  return undefined;
}

/** An event whose window goes beyond the region takes what of it is inside. */
function windowBeyondRegion(): string | undefined {
  const client = { device: undefined as Mlx5Driver | undefined };
  const on = new OnDemand((memory) => {
    const made = new Mlx5Client(memory);
    client.device = made.device;
    return made;
  });
  on.run(on.verbs.register(0, on.vpn, 4, ALL));
  const mr = on.verbs.region(0);
  if (mr === undefined || client.device === undefined) return 'region';
  const event = { mkey: mr.key, va: (on.vpn + 2) * PAGE, demandPages: 1, before: 0, after: 4, last: true };
  on.run(mlx5IbPfault(client.device, { subtype: 'memory', ...event }));
  return (mr.mtt[2 * 3] ?? 0) !== 0 ? undefined : 'OI17';
}

/** A region whose addresses in requests are not those of its memory. */
function iovaIsNotVa(): string | undefined {
  const client = { device: undefined as Mlx5Driver | undefined };
  const on = new OnDemand((memory) => {
    const made = new Mlx5Client(memory);
    client.device = made.device;
    return made;
  });
  const { device } = client;
  if (device === undefined) return 'device';
  on.store(1, 5);
  const mr = on.run(
    device.regUserMr(on.mm, 1, { va: on.vpn * PAGE, iova: 0x10000, length: 4 * PAGE, access: ALL }),
  );
  if (typeof mr === 'number') return 'region';
  on.run(sysMadvise(on.mm, on.vpn, 4, MADV_DONTNEED));
  on.store(1, 6);
  const bytes = new Uint8Array(8);
  const buffer = device.regBuffer(1, 15, bytes);
  const peer = new QueuePair(device, 1);
  peer.connect(new QueuePair(device, 1));
  const local = { key: buffer.key, addr: 0, length: 8 };
  const remote = { key: mr.key, addr: 0x10000 + PAGE, length: 8 };
  on.run(postSend(peer, { opcode: 'RDMA_READ', local, remote }));
  return bytes[0] === 6 ? undefined : 'OI4';
}

/** The adapter gets no DMA address for a page: the fault fails, and leaves the mutex free. */
function dmaMappingFails(): string | undefined {
  const failing: DmaDevice = { ...DIRECT_DMA, mapPage: () => DMA_MAPPING_ERROR };
  class Unmappable extends Mlx5Driver {
    override readonly dma = failing;
  }
  const kernel = new Kernel();
  const memory = new MemorySystem(kernel, MEMORY);
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  const mm = mmCreate(memory);
  const vpn = run(sysMmap(mm, 0, 1, 3, MAP_PRIVATE | MAP_ANONYMOUS));
  const device = new Unmappable(memory);
  const mr = run(device.regUserMr(mm, 1, { va: vpn * PAGE, length: PAGE, access: ALL }));
  if (typeof mr === 'number' || 'kind' in mr.umem) return 'region';
  const segments = [{ key: mr.key, addr: mr.iova, length: 8 }];
  run(mlx5IbPfault(device, { subtype: 'wqe', type: 1, bytesCommitted: 0, segments }));
  return mr.umem.umemMutex.owner < 0 ? undefined : 'OI14';
}

/** A request gathers from a pinned buffer and from a region on demand. */
function listWithPinnedKey(): string | undefined {
  const client = { device: undefined as Mlx5Driver | undefined };
  const on = new OnDemand((memory) => {
    const made = new Mlx5Client(memory);
    client.device = made.device;
    return made;
  });
  const { device } = client;
  on.run(on.verbs.register(0, on.vpn, 1, ALL));
  const mr = on.verbs.region(0);
  if (device === undefined || mr === undefined) return 'region';
  const pinned = device.regBuffer(1, 15, new Uint8Array(8));
  const segments = [pinned, mr].map(({ key, iova }) => ({ key, addr: iova, length: 8 }));
  const served = on.run(mlx5IbPfault(device, { subtype: 'wqe', type: 1, bytesCommitted: 0, segments }));
  return served.resume === 0 ? undefined : 'OI17';
}

/** A region of huge pages says how many units a range has. */
function hugeUnits(): string | undefined {
  const kernel = new Kernel();
  const memory = new MemorySystem(kernel, MEMORY);
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  const mm = mmCreate(memory);
  const device = { kernel, dma: DIRECT_DMA, odp: ODP_INTENDED, exits: new MmputQueue(kernel) };
  const ops = { invalidate: (): boolean => true };
  const huge = run(ibUmemOdpGet(device, mm, 2 ** 30, 2 ** 22, ALL | IB_ACCESS_HUGETLB, ops));
  if (typeof huge === 'number') return 'region';
  const units = run(ibUmemOdpMapDmaAndLock(huge, 2 ** 30, 2 ** 22, ODP_READ, false));
  return units === huge.numPages ? undefined : 'OI4';
}

/** A fault of an implicit region whose process has ended. */
function childOfDeadProcess(): string | undefined {
  const kernel = new Kernel();
  const memory = new MemorySystem(kernel, MEMORY);
  const run = <T>(task: Task<T>): T => kernel.sched.runSync(task);
  const mm = mmCreate(memory);
  const device = { kernel, dma: DIRECT_DMA, odp: ODP_INTENDED, exits: new MmputQueue(kernel) };
  const root = ibUmemOdpAllocImplicit(device, mm, ALL);
  if (typeof root === 'number') return 'region';
  run(mmput(mm));
  const child = run(ibUmemOdpAllocChild(root, 0, 2 ** 21, { invalidate: () => true }));
  return child === -EFAULT && mm.users === 0 ? undefined : 'I62';
}

/** rxe has no implicit regions. */
function implicitOnRxe(): string | undefined {
  const on = onRxe();
  return on.run(on.verbs.register(0, 0, 0, ALL)).rc === -EOPNOTSUPP ? undefined : 'API';
}

/** A leaf gets empty, and goes, at about the time at which a fault finds it. */
function leafGoesWhileFound(): string | undefined {
  const on = new OnDemand(
    (memory) => new Mlx5Client(memory, 'connectx-6', { ...MLX5_TRANSPORT, leafPages: 512 }),
  );
  const { sched } = on.kernel;
  on.run(on.verbs.register(0, 0, 0, ALL));
  on.store(0, 5);
  on.store(1, 6);
  on.run(on.verbs.read(at(on.vpn)));
  on.run(sysMadvise(on.mm, on.vpn + 1, 1, MADV_DONTNEED));
  on.store(1, 6);
  const read: { value?: VerbResult } = {};
  sched.spawn('peer', store(on.verbs.read(at(on.vpn + 1)), read));
  sched.spawn('cpu', after(sched.delay(250_000), sysMadvise(on.mm, on.vpn, 1, MADV_DONTNEED)));
  sched.run();
  return read.value?.values[0] === 6 ? undefined : 'OI10';
}

/** What a scenario breaks: what it says, or a rule that the model itself refuses to break. */
function broken(scenario: () => string | undefined): string | undefined {
  try {
    return scenario();
  } catch (error) {
    if (error instanceof HmmError) return error.code;
    throw error;
  }
}

/** By name: what is broken afterwards, undefined when all holds. */
export const odpScenarios: ReadonlyMap<string, () => string | undefined> = new Map(
  Object.entries({
    'odp-write-after-fork': writeAfterFork,
    'odp-refused-write': refusedWrite,
    'odp-fault-meets-dontneed': faultMeetsDontneed,
    'odp-dereg-under-invalidation': deregUnderInvalidation,
    'odp-implicit-read-only': implicitReadOnly,
    'odp-advice-of-another-domain': adviceOfAnotherDomain,
    'odp-empty-leaf-then-dereg': emptyLeafThenDereg,
    'odp-window-beyond-region': windowBeyondRegion,
    'odp-iova-is-not-va': iovaIsNotVa,
    'odp-dma-mapping-fails': dmaMappingFails,
    'odp-list-with-pinned-key': listWithPinnedKey,
    'odp-huge-units': hugeUnits,
    'odp-child-of-dead-process': childOfDeadProcess,
    'odp-implicit-on-rxe': implicitOnRxe,
    'odp-leaf-goes-while-found': leafGoesWhileFound,
  }).map(([name, scenario]) => [name, (): string | undefined => broken(scenario)]),
);
