import type { MmStruct } from './mm-struct.js';

/**
 * Becomes a user of an address space that still has some; false when it is being torn down.
 * @kernel include/linux/sched/mm.h mmget_not_zero (all)
 */
export function mmgetNotZero(mm: MmStruct): boolean {
  if (mm.users <= 0) {
    mm.kernel.sched.access(mm.usersObject, false);
    return false;
  }
  mm.users++;
  mm.kernel.sched.access(mm.usersObject, false);
  return true;
}
