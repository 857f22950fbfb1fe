import { ENXIO, type Kernel, type Task } from '@hmm/kernel';
import { declareState, PageTablePool } from '@hmm/kernel/internal';
import type { MemorySystem, MmStruct } from '@hmm/mm';
import { DEVMEM_CHUNK_PAGES, DmirrorDevice, type DmirrorOptions } from './dmirror-device.js';
import { dmirrorFopsOpen, type Dmirror } from './dmirror.js';
import { HMM_DMIRROR_MEMORY_DEVICE_COHERENT, HMM_DMIRROR_MEMORY_DEVICE_PRIVATE } from './uapi.js';

/** Options of {@link TestDevice}; each has a default. */
export interface TestDeviceOptions extends Partial<DmirrorOptions> {
  /** Tables that the mirrors can use together, one for 512 mirrored pages. */
  readonly maxTables?: number;
}

/**
 * The loaded driver: devices 0 and 1 have private memory, 2 and 3 coherent memory. Devices and their memory live as long
 * as this, whatever becomes of the processes that used them.
 * @kernel lib/test_hmm.c hmm_dmirror_init (without: device numbers, module parameters for coherent memory)
 */
export class TestDevice {
  /** What of it is state. */
  static readonly state = declareState({
    kernel: 'constant',
    devices: 'constant',
    mirrors: 'constant',
    tables: { saved: 'each mirror folds its own table' },
  });

  readonly kernel: Kernel;
  readonly devices: readonly DmirrorDevice[];
  /** Mirrors by number; 0 is never used. */
  readonly mirrors: (Dmirror | undefined)[] = [undefined];
  /** The tables of all mirrors. */
  readonly tables: PageTablePool;

  constructor(system: MemorySystem, options: TestDeviceOptions = {}) {
    const { chunkPages = DEVMEM_CHUNK_PAGES, corrected = false, maxTables = 16_384 } = options;
    this.kernel = system.kernel;
    this.tables = new PageTablePool(maxTables, system.config.levels);
    const types = [HMM_DMIRROR_MEMORY_DEVICE_PRIVATE, HMM_DMIRROR_MEMORY_DEVICE_COHERENT];
    this.devices = [0, 1, 2, 3].map(
      (minor) =>
        new DmirrorDevice(system, minor, types[minor >> 1] ?? 0, this.mirrors, { chunkPages, corrected }),
    );
  }

  /** Opens device `minor` for `mm`. @returns the mirror, or a negative errno; `-ENXIO` where there is no such device. */
  *open(minor: number, mm: MmStruct): Task<Dmirror | number> {
    const device = this.devices[minor];
    return device === undefined ? -ENXIO : yield* dmirrorFopsOpen(device, mm, this.tables);
  }
}
