import { Sched } from './sched.js';
import { Trace } from './tracepoint.js';

/** The running modelled kernel: what every subsystem is handed. One per machine. */
export class Kernel {
  /** Tasks, locks' owner and the virtual clock. */
  readonly sched = new Sched();
  /** The event stream. */
  readonly trace = new Trace();
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

  /** Records an event at the present time in the running agent's name, if anyone listens. */
  emit(kind: number, page: number, pages: number, value: number): void {
    const { trace } = this;
    if (trace.on) trace.emit(kind, this.sched.now, this.sched.current.id, page, pages, value);
  }
}
