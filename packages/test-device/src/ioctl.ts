import { EINVAL, type Task } from '@hmm/kernel';
import { dmirrorCheckAtomic, dmirrorExclusive } from './dmirror-exclusive.js';
import { dmirrorRead, dmirrorReadUnlocked, dmirrorWrite } from './dmirror-fault.js';
import { dmirrorMigrateToDevice, dmirrorMigrateToSystem } from './dmirror-migrate.js';
import { dmirrorDeviceRemoveChunks } from './dmirror-release.js';
import { dmirrorSnapshot } from './dmirror-snapshot.js';
import type { Dmirror } from './dmirror.js';
import {
  HMM_DMIRROR_CHECK_EXCLUSIVE,
  HMM_DMIRROR_EXCLUSIVE,
  HMM_DMIRROR_FLAGS,
  HMM_DMIRROR_MIGRATE_TO_DEV,
  HMM_DMIRROR_MIGRATE_TO_SYS,
  HMM_DMIRROR_READ,
  HMM_DMIRROR_READ_UNLOCKED,
  HMM_DMIRROR_RELEASE,
  HMM_DMIRROR_SNAPSHOT,
  HMM_DMIRROR_WRITE,
  type HmmDmirrorCmd,
} from './uapi.js';

const PAGE_SIZE = 4096;
/** One past the last address of a 64-bit machine. */
const ADDRESS_END = 2 ** 64;
/** A number of pages is shifted to bytes: what does not fit into 64 bits is lost. */
const PAGES_LOST = ADDRESS_END / PAGE_SIZE;

/**
 * An ioctl on an open test device. `cpages` and `faults` of `cmd` change only if it succeeds.
 * @param request one of `HMM_DMIRROR_*`.
 * @returns 0 or a negative errno; `-EINVAL` for an unknown request, an unaligned address, no pages, or a range that
 * wraps, be it only to 0.
 * @kernel lib/test_hmm.c dmirror_fops_unlocked_ioctl (without: copies from and to the user)
 */
export function* dmirrorIoctl(dmirror: Dmirror, request: number, cmd: HmmDmirrorCmd): Task<number> {
  const { addr, ptr } = cmd;
  if (addr % PAGE_SIZE !== 0) return -EINVAL;
  const npages = cmd.npages % PAGES_LOST;
  if (!(npages > 0) || addr < 0 || addr + npages * PAGE_SIZE >= ADDRESS_END) return -EINVAL;
  const work: HmmDmirrorCmd = { addr, ptr, npages, cpages: 0, faults: 0 };
  const ret = yield* dispatch(dmirror, request, work);
  if (ret !== 0) return ret;
  cmd.cpages = work.cpages;
  cmd.faults = work.faults;
  return 0;
}

function* dispatch(dmirror: Dmirror, request: number, cmd: HmmDmirrorCmd): Task<number> {
  switch (request) {
    case HMM_DMIRROR_READ:
      return yield* dmirrorRead(dmirror, cmd);
    case HMM_DMIRROR_WRITE:
      return yield* dmirrorWrite(dmirror, cmd);
    case HMM_DMIRROR_MIGRATE_TO_DEV:
      return yield* dmirrorMigrateToDevice(dmirror, cmd);
    case HMM_DMIRROR_MIGRATE_TO_SYS:
      return yield* dmirrorMigrateToSystem(dmirror, cmd);
    case HMM_DMIRROR_EXCLUSIVE:
      return yield* dmirrorExclusive(dmirror, cmd);
    case HMM_DMIRROR_CHECK_EXCLUSIVE:
      return yield* dmirrorCheckAtomic(dmirror, cmd);
    case HMM_DMIRROR_SNAPSHOT:
      return yield* dmirrorSnapshot(dmirror, cmd);
    case HMM_DMIRROR_RELEASE:
      yield* dmirrorDeviceRemoveChunks(dmirror.mdevice);
      return 0;
    case HMM_DMIRROR_FLAGS:
      if (!dmirror.mdevice.does.flagsIoctl) return -EINVAL;
      dmirror.flags = cmd.npages;
      return 0;
    case HMM_DMIRROR_READ_UNLOCKED:
      return dmirror.mdevice.does.readsUnlocked ? yield* dmirrorReadUnlocked(dmirror, cmd) : -EINVAL;
    default:
      return -EINVAL;
  }
}
