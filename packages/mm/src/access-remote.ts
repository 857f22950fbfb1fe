import type { Task } from '@hmm/kernel';
import { FOLL_FORCE, FOLL_GET, FOLL_REMOTE, FOLL_WRITE, getUserPages } from './gup.js';
import { PG_dirty } from './mem-map.js';
import type { MmStruct } from './mm-struct.js';
import { accessData } from './observe.js';
import { folioPut } from './page-alloc.js';

/**
 * Reads or writes another process's bytes from byte `offset` of page `vpn` on, as a debugger does: `force` goes past the
 * VMA's permissions where memory is private. @returns bytes copied, which end at the first page that cannot be had.
 * @kernel mm/memory.c __access_remote_vm (without: mappings without pages, which a driver's access function
 * serves; growing stacks; killable waits)
 */
export function* accessRemoteVm(
  mm: MmStruct,
  vpn: number,
  offset: number,
  bytes: Uint8Array,
  write: boolean,
  force = false,
): Task<number> {
  const { system } = mm;
  const flags = FOLL_GET | FOLL_REMOTE | (write ? FOLL_WRITE : 0) | (force ? FOLL_FORCE : 0);
  if (!mm.mmapLock.tryReadFast()) yield* mm.mmapLock.read();
  let done = 0;
  while (done < bytes.length) {
    const at = (offset + done) % 4096;
    const part = bytes.subarray(done, done + Math.min(4096 - at, bytes.length - done));
    const pages: number[] = [];
    const got = yield* getUserPages(mm, vpn + Math.floor((offset + done) / 4096), 1, flags, pages);
    const pfn = pages[0] ?? 0;
    if (got <= 0 || pfn === 0) break;
    accessData(system, pfn, write);
    if (write) {
      system.data.write(pfn, at, part);
      system.map.set(system.map.folio(pfn), PG_dirty);
    } else system.data.read(pfn, at, part);
    folioPut(system, pfn);
    done += part.length;
  }
  mm.mmapLock.unlockRead();
  return done;
}
