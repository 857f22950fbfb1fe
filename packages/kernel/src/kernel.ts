import { CORE_BEHAVIOURS, type CoreBehaviours } from './core-behaviours.js';
import {
  behavioursOf,
  DEFAULT_RELEASE,
  type Behaviours,
  type BehaviourTable,
  type Release,
} from './releases.js';
import { Sched } from './sched.js';
import { declareState } from './state.js';
import { Trace } from './trace.js';

/** Decides, while exploring or in a test, which fallible steps fail. */
export interface FaultInjector {
  /** Whether the step called `site` (`alloc_page`, `copy_engine` …) fails this time. */
  shouldFail(site: string): boolean;
}

/** What a {@link Kernel} is made with; each field has a default. */
export interface KernelOptions {
  /** The release that the machine follows. */
  readonly release?: Release;
  /** Behaviours that are the other way round than in the release, by name: mended defects. */
  readonly flipped?: readonly string[];
}

const CHOSEN = { outside: 'chosen when the machine is made' };

/** The running modelled kernel: what every subsystem is handed. One per machine. */
export class Kernel {
  /** What of it is state. */
  static readonly state = declareState({
    sched: { outside: 'agents are made anew, and the scheduler is reset' },
    trace: { outside: 'what happened is no state' },
    injector: { outside: 'who injects failures says so for each run' },
    release: CHOSEN,
    does: CHOSEN,
    flipped: CHOSEN,
    known: CHOSEN,
    nextId: { saved: 'ids only have to differ' },
  });

  /** Tasks, locks' owner and the virtual clock. */
  readonly sched = new Sched();
  /** The event stream. */
  readonly trace = new Trace();
  /** Failure injection; nothing fails without one. */
  injector: FaultInjector | undefined;
  /** The release that the machine follows, to be shown; behaviours that differ between releases are asked for by name. */
  readonly release: Release;
  /** What the core of this machine does. */
  readonly does: CoreBehaviours;
  private readonly flipped: readonly string[];
  private known: readonly string[] = Object.keys(CORE_BEHAVIOURS);
  private nextId = 1;

  constructor({ release = DEFAULT_RELEASE, flipped = [] }: KernelOptions = {}) {
    this.release = release;
    this.flipped = flipped;
    this.does = behavioursOf(CORE_BEHAVIOURS, release, flipped);
  }

  /** What this machine does, of a driver's own table. */
  behaviours<Table extends BehaviourTable>(table: Table): Behaviours<Table> {
    this.known = [...this.known, ...Object.keys(table)];
    return behavioursOf(table, this.release, this.flipped);
  }

  /** A name that was to be flipped, and that no table that was asked for so far has. */
  unknownBehaviour(): string | undefined {
    return this.flipped.find((name) => !this.known.includes(name));
  }

  /**
   * Reserves `count` consecutive ids for locks, wait channels and observed objects, and returns the first.
   * Pass 2^32 for one id per page frame.
   */
  allocIds(count: number): number {
    const first = this.nextId;
    this.nextId += count;
    return first;
  }

  /**
   * Whether the fallible step `site` is made to fail this time.
   * @kernel lib/fault-inject.c should_fail (without: settings by debugfs, tasks and stack traces that are
   * meant, probabilities)
   */
  shouldFail(site: string): boolean {
    return this.injector !== undefined && this.injector.shouldFail(site);
  }

  /** Records an event at the present time in the running agent's name, if anyone listens. */
  emit(kind: number, page: number, pages: number, value: number): void {
    const { trace } = this;
    if (trace.on) trace.emit(kind, this.sched.now, this.sched.current.id, page, pages, value);
  }
}
