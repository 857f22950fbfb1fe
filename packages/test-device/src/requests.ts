import { PAGE_SIZE } from '@hmm/kernel';
import type { TestDeviceWord } from '@hmm/operations/internal';
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
} from './uapi.js';

/** The ioctl of each word that programs and recordings have for one. */
const REQUESTS: Readonly<Record<TestDeviceWord, number>> = {
  dread: HMM_DMIRROR_READ,
  dwrite: HMM_DMIRROR_WRITE,
  todev: HMM_DMIRROR_MIGRATE_TO_DEV,
  tosys: HMM_DMIRROR_MIGRATE_TO_SYS,
  snap: HMM_DMIRROR_SNAPSHOT,
  excl: HMM_DMIRROR_EXCLUSIVE,
  chkexcl: HMM_DMIRROR_CHECK_EXCLUSIVE,
  drelease: HMM_DMIRROR_RELEASE,
  dflags: HMM_DMIRROR_FLAGS,
  dreadu: HMM_DMIRROR_READ_UNLOCKED,
};

const byWord: ReadonlyMap<string, number> = new Map(Object.entries(REQUESTS));

/** The words of the device's ioctls. */
export const REQUEST_WORDS: readonly string[] = [...byWord.keys()];

/** The ioctl of a word; undefined where the device has none of that name. */
export function requestOf(word: string): number | undefined {
  return byWord.get(word);
}

/** What an ioctl returns of each page: its first byte, or the status byte of a snapshot; nothing where it returns no data. */
export function valuesOf(request: number, ptr: Uint8Array, pages: number): number[] {
  switch (request) {
    case HMM_DMIRROR_SNAPSHOT:
      return [...ptr.subarray(0, pages)];
    case HMM_DMIRROR_READ:
    case HMM_DMIRROR_READ_UNLOCKED:
    case HMM_DMIRROR_MIGRATE_TO_DEV:
    case HMM_DMIRROR_EXCLUSIVE: {
      const values: number[] = [];
      for (let i = 0; i < pages; i++) values.push(ptr[i * PAGE_SIZE] ?? 0);
      return values;
    }
    default:
      return [];
  }
}
