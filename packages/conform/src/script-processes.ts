import { mmCreate, type MemorySystem, type MmStruct } from '@hmm/mm';
import { type RecordedOperation, runBound } from '@hmm/operations';
import { type Shown, shownOutcome } from '@hmm/operations/internal';
import { ScriptContext, type ScriptSurroundings } from './script-context.js';
import { type ScriptDevices, ScriptProcess } from './script-process.js';

/** Told by {@link ScriptProcesses} what becomes of the processes. */
export interface ScriptProcessEvents {
  /** The child was forked. */
  forked?(): void;
  /** Process `process` (0 the parent, 1 the child) has ended: its memory is gone, and its devices and pins. */
  ended?(process: number): void;
}

/** The processes of one script after the other: the parent, and between `fork` and `wait` its child. */
export class ScriptProcesses implements ScriptSurroundings {
  readonly devices: ScriptDevices;
  private readonly system: MemorySystem;
  private readonly events: ScriptProcessEvents;
  private parent: ScriptProcess | undefined;
  private forked: ScriptProcess | undefined;

  constructor(system: MemorySystem, devices: ScriptDevices, events: ScriptProcessEvents = {}) {
    this.system = system;
    this.devices = devices;
    this.events = events;
  }

  /** @inheritdoc */
  get child(): ScriptProcess | undefined {
    return this.forked;
  }

  /** A new script has a process of its own. */
  begin(): void {
    this.parent = new ScriptProcess('parent', mmCreate(this.system), this.devices);
    this.forked = undefined;
  }

  /** Process 0 or 1; undefined for one that is not there. */
  get(process: number): ScriptProcess | undefined {
    return process === 0 ? this.parent : this.forked;
  }

  /** Which process has `mm`: 0 for the parent, 1 for the child. */
  numberOf(mm: number): number {
    return mm === this.parent?.mm.id ? 0 : 1;
  }

  /** @inheritdoc */
  adopt(name: string, mm: MmStruct): void {
    this.forked = new ScriptProcess(name, mm, this.devices);
    this.events.forked?.();
  }

  /** Runs an operation in `process`. @returns what its line in a recording shows. */
  run(operation: RecordedOperation, process: ScriptProcess): Shown {
    const outcome = this.system.kernel.sched.runSync(runBound(new ScriptContext(this, process), operation));
    if (operation.definition.kind === 'wait') this.exit(1);
    return shownOutcome(operation, outcome);
  }

  /** Ends what is left, the child first. */
  end(): void {
    this.exit(1);
    this.exit(0);
  }

  private exit(process: number): void {
    const ending = this.get(process);
    if (ending === undefined) return;
    this.system.kernel.sched.runSync(ending.exit());
    if (process === 0) this.parent = undefined;
    else this.forked = undefined;
    this.events.ended?.(process);
  }
}
