import { Sched } from './sched.js';
import { Trace } from './tracepoint.js';

/** Decides, while exploring or in a test, which fallible steps fail. */
export interface FaultInjector {
  /** Whether the step called `site` (`alloc_page`, `copy_engine` …) fails this time. */
  shouldFail(site: string): boolean;
}

/** Releases whose memory management can be modelled: 6.19 is 6.12 with device-private memory in huge pages. */
export type KernelVersion = '6.12' | '6.19';

/** The running modelled kernel: what every subsystem is handed. One per machine. */
export class Kernel {
  /** Tasks, locks' owner and the virtual clock. */
  readonly sched = new Sched();
  /** The event stream. */
  readonly trace = new Trace();
  /** Failure injection; nothing fails without one. */
  injector: FaultInjector | undefined;
  /** The release that the core follows. Compared only where a huge page, or a driver's whole call, is at stake. */
  version: KernelVersion = '6.12';
  /**
   * The id of a historical bug that is planted in this machine, '' for none. The places that know one compare this field;
   * none of them is on a path that runs for each page without need.
   */
  mutant = '';
  private nextId = 1;

  /**
   * Reserves `count` consecutive ids for locks, wait channels and observed objects, and returns the first.
   * Pass 2^32 for one id per page frame.
   */
  allocIds(count: number): number {
    const first = this.nextId;
    this.nextId += count;
    return first;
  }

  /** Whether the fallible step `site` is made to fail this time. @kernel lib/fault-inject.c should_fail */
  shouldFail(site: string): boolean {
    return this.injector !== undefined && this.injector.shouldFail(site);
  }

  /** Records an event at the present time in the running agent's name, if anyone listens. */
  emit(kind: number, page: number, pages: number, value: number): void {
    const { trace } = this;
    if (trace.on) trace.emit(kind, this.sched.now, this.sched.current.id, page, pages, value);
  }
}
