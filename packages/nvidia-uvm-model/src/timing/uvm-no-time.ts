import { declareState } from '@hmm/kernel/internal';
import type { UvmWork } from '../uvm-work.js';

/** Work that takes no time. What the driver decides does not depend on it. */
export class UvmNoTime implements UvmWork {
  /** What of it is state. */
  static readonly state = declareState({});

  spaceOpened(): void {
    // Nothing gets warm.
  }

  kernelLaunched(): number {
    return 0;
  }

  kernelEnded(): number {
    return 0;
  }

  cpuLoopBegins(): void {
    // Nothing gets warm.
  }

  cpuLoopFaults(): number {
    return 0;
  }

  cpuLoopEnds(): number {
    return 0;
  }

  cpuTouches(): void {
    // No touch is dearer than another.
  }

  cpuTouched(): number {
    return 0;
  }

  cpuMapped(): void {
    // No touch is dearer than another.
  }

  cpuLookedUp(): number {
    return 0;
  }

  cpuThrottled(): number {
    return 0;
  }

  cpuFaultServed(): number {
    return 0;
  }

  cpuReturns(): number {
    return 0;
  }

  interrupted(): number {
    return 0;
  }

  batchFetched(): void {
    // Nothing gets warm.
  }

  blockServed(): number {
    return 0;
  }

  refusalReturns(): number {
    return 0;
  }

  batchServed(): number {
    return 0;
  }

  systemServed(): number {
    return 0;
  }

  nonReplayableServed(): number {
    return 0;
  }

  notificationServed(): number {
    return 0;
  }

  systemCpuFaultServed(): number {
    return 0;
  }

  migrated(): number {
    return 0;
  }

  systemMigrated(): number {
    return 0;
  }

  advised(): number {
    return 0;
  }

  discarded(): number {
    return 0;
  }

  copied(): number {
    return 0;
  }

  kernelAccessed(): number {
    return 0;
  }

  forked(): number {
    return 0;
  }
}
