import {
  type BrokenInvariant,
  type Capability,
  type ClientWorker,
  type CountingCounters,
  type DeviceClient,
  type DeviceCounters,
  noCounters,
  type OpenResult,
} from '@hmm/device';
import { EOPNOTSUPP, type Task } from '@hmm/kernel';
import { declareState } from '@hmm/kernel/internal';
import { type MemorySystem, type MmStruct } from '@hmm/mm';
import type { Hmm2016BehaviourName, Hmm2016Version } from '../behaviours.js';
import { HmmCore } from '../hmm.js';
import type { MirrorDriver } from './driver.js';
import { DriverOf414 } from './driver-4.14.js';
import { DriverOfV13 } from './driver-v13.js';
import { type MirrorPolicy, MirrorProcess } from './mirror-process.js';

/** The device's name: none was ever sold under it. */
export const ANNOUNCED_DEVICE = 'announced-2016';

/** Device memory, pages: 64 MiB, and while exploring as little as will do. */
const DEVICE_PAGES = 16_384;
const DEVICE_PAGES_EXPLORED = 16;

/** What a client is made with. */
export interface Hmm2016Options extends MirrorPolicy {
  readonly version: Hmm2016Version;
  /** Defects that are mended. */
  readonly mended: readonly Hmm2016BehaviourName[];
  /** v13: whether the driver enters what is mapped already under a range lock. */
  readonly looksUnderLock: boolean;
  /** Its invariants are not asked about. */
  readonly unasked?: boolean;
  /** The object under which its state is observed, where it is explored. */
  readonly exploration?: number | undefined;
}

/** The page-fault-capable device of the announcement, with its driver on one of the two versions of HMM. */
export class Hmm2016Client implements DeviceClient {
  /** What of it is state. */
  static readonly state = declareState({
    name: 'constant',
    gpu: 'constant',
    log: 'constant',
    core: 'constant',
    driver: 'constant',
    totals: { outside: 'totals, which decide nothing' },
    options: { outside: 'chosen when the machine is made' },
  });

  readonly name: string;
  readonly gpu = ANNOUNCED_DEVICE;
  readonly log: readonly string[] = [];
  /** HMM as it is built into this machine. */
  readonly core: HmmCore;
  private readonly driver: MirrorDriver;
  private readonly totals: CountingCounters = noCounters();
  private readonly options: Hmm2016Options;

  constructor(memory: MemorySystem, options: Hmm2016Options) {
    const { version, mended, exploration, looksUnderLock } = options;
    this.name = `hmm-${version}`;
    this.options = options;
    this.core = new HmmCore(memory, version, mended, exploration);
    const explored = exploration !== undefined;
    const parts = { core: this.core, totals: this.totals, explored };
    const pages = explored ? DEVICE_PAGES_EXPLORED : DEVICE_PAGES;
    this.driver =
      version === 'v13' ? new DriverOfV13(parts, pages, looksUnderLock) : new DriverOf414(parts, pages);
  }

  /** It always works. */
  capability(): Capability {
    return {
      ok: true,
      features: {
        systemMemory: true,
        managedMemory: false,
        atomics: false,
        faultMigration: this.options.moves > 0,
        advice: [],
        operations: [],
        memoryPages: this.driver.devmem.pagemap?.nr ?? 0,
      },
    };
  }

  /** None: a fault is served in the task that waits for it. */
  workers(): readonly ClientWorker[] {
    return [];
  }

  /** @inheritdoc */
  *openProcess(mm: MmStruct): Task<OpenResult<MirrorProcess>> {
    const process = new MirrorProcess(this.driver, mm, this.options);
    const errno = yield* this.driver.register(process.mirror, mm);
    if (errno !== 0) return { ok: false, errno, reason: 'the address space cannot be mirrored' };
    this.driver.processes.push(process);
    return { ok: true, process };
  }

  /** HMM of 2016 has nothing by which a driver could find whose its pages are: `-EOPNOTSUPP`. */
  *limitMemory(): Task<number> {
    return -EOPNOTSUPP;
  }

  /** @inheritdoc */
  counters(): DeviceCounters {
    const { byCause, timeNs } = this.totals;
    const causes = Object.fromEntries(Object.entries(byCause).map(([cause, bytes]) => [cause, { ...bytes }]));
    return { ...this.totals, byCause: causes, timeNs: { ...timeNs } };
  }

  /** When nobody is in the middle of anything no invalidation is counted, and no list names a stack that is gone. */
  brokenInvariants(_pages: readonly number[], atRest: boolean): readonly BrokenInvariant[] {
    const broken: BrokenInvariant[] = [];
    if (!atRest || this.options.unasked === true) return broken;
    for (const hmm of this.core.hmms) {
      if (hmm === undefined) continue;
      const { notifierCount, ranges, space } = hmm;
      if (notifierCount !== 0) {
        const detail = `${notifierCount} invalidations of mm ${space.id} are counted, and none runs`;
        broken.push({ invariant: 'notifierCount', detail, story: [], times: 1 });
      }
      if (ranges.some(({ gone }) => gone)) {
        const detail = `a range of mm ${space.id} lies on a stack that is gone`;
        broken.push({ invariant: 'rangeList', detail, story: [], times: 1 });
      }
    }
    return broken;
  }
}
