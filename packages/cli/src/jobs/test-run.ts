import { type Findings, mergeFindings, type SavedSearch, type Subtree } from '@hmm/explore';
import type { Exploration } from './explore-together.js';
import type { PlainSearchOptions, TestResult } from './task.js';

/** Bytes for the states that those know together who explore one test. Pages of it that nobody writes cost nothing. */
const STATES_BYTES = 128 * 2 ** 20;

/** A test while it is explored, by one or by several: its parts, and what was found in them. */
export class TestRun {
  readonly exploration: Exploration;
  /** Its place among all tests. */
  readonly index: number;
  readonly options: PlainSearchOptions;
  /** Whether it is not gone on with: a limit was reached, or somebody wants an end. */
  ended = false;
  result: TestResult | undefined;
  /** Workers that explore a part of it, each with the executions that it has told of. */
  readonly running = new Map<object, number>();
  private readonly queue: (Subtree | undefined)[] = [];
  private readonly findings: Findings[] = [];
  private begun: number | undefined;
  private memory: SharedArrayBuffer | undefined;
  private earlier = 0;

  /** @param saved how far it had got, where it was begun another time. */
  constructor(
    exploration: Exploration,
    index: number,
    options: PlainSearchOptions,
    saved: SavedSearch | undefined,
  ) {
    this.exploration = exploration;
    this.index = index;
    this.options = options;
    if (saved === undefined) this.queue.push(undefined);
    else {
      const { found, states, seconds, left } = saved;
      this.findings.push({ found, states, seconds, complete: true });
      this.queue.push(...left);
      this.earlier = found.executions;
      if (left.length === 0) this.begun = performance.now();
    }
  }

  /** Whether anybody has begun with it. */
  get isBegun(): boolean {
    return this.begun !== undefined;
  }

  /** Whether a part waits for somebody. */
  get hasPart(): boolean {
    return this.queue.length > 0 && !this.ended;
  }

  /** Whether nobody explores it any more, and its result is not made yet. */
  get isExplored(): boolean {
    return this.isBegun && this.running.size === 0 && !this.hasPart && this.result === undefined;
  }

  /** The memory of those who explore it together, made when it is first asked for. */
  get states(): SharedArrayBuffer {
    return (this.memory ??= new SharedArrayBuffer(STATES_BYTES));
  }

  /** The same, where some do. */
  get statesIfShared(): SharedArrayBuffer | undefined {
    return this.memory;
  }

  /** Takes a part from the queue for `worker`; undefined is the whole. */
  begin(worker: object): Subtree | undefined {
    this.begun ??= performance.now();
    this.running.set(worker, 0);
    return this.queue.shift();
  }

  /** Somebody has given a part away. */
  add(part: Subtree): void {
    this.queue.push(part);
  }

  /** `worker` has told how far it is. */
  progress(worker: object, executions: number): void {
    this.running.set(worker, executions);
    const { maxExecutions, maxSeconds } = this.rest();
    if (maxExecutions <= 0 || maxSeconds <= 0) this.ended = true;
  }

  /** `worker` is through with its part. */
  explored(worker: object, findings: Findings, left: readonly Subtree[]): void {
    this.running.delete(worker);
    this.findings.push(findings);
    this.queue.push(...left);
    if (left.length > 0 || !findings.complete) this.ended = true;
    if (this.options.keepGoing !== true && findings.found.violations.length > 0) this.queue.length = 0;
  }

  /** The options for the next part: what is left of the limits. */
  limited(): PlainSearchOptions {
    const { maxExecutions, maxSeconds, ...options } = this.options;
    const rest = this.rest();
    return {
      ...options,
      ...(maxExecutions === undefined ? {} : { maxExecutions: rest.maxExecutions }),
      ...(maxSeconds === undefined ? {} : { maxSeconds: rest.maxSeconds }),
    };
  }

  /** What was found in all parts together, and what is left. */
  saved(): SavedSearch {
    const left = this.queue.filter((part) => part !== undefined);
    const all = mergeFindings(this.findings);
    return { ...all, complete: all.complete && left.length === 0, left };
  }

  private rest(): { readonly maxExecutions: number; readonly maxSeconds: number } {
    const { maxExecutions = Infinity, maxSeconds = Infinity } = this.options;
    let executions = -this.earlier;
    for (const { found } of this.findings) executions += found.executions;
    for (const running of this.running.values()) executions += running;
    const seconds = this.begun === undefined ? 0 : (performance.now() - this.begun) / 1000;
    return { maxExecutions: maxExecutions - executions, maxSeconds: maxSeconds - seconds };
  }
}
