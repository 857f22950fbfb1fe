import type { Kernel } from '@hmm/kernel';
import { dupMm, mmCreate, mmput, type MemorySystem, type MmStruct } from '@hmm/mm';
import { lruAddDrain } from '@hmm/mm/internal';
import { ScriptMemory } from './script-memory.js';

/** The processes of one script: the parent, and between `fork` and `wait` its child. */
export class ScriptProcesses {
  private readonly system: MemorySystem;
  private readonly kernel: Kernel;
  private readonly onExit: (mm: MmStruct, process: number) => void;
  private parent: ScriptMemory | undefined;
  private child: ScriptMemory | undefined;

  /** @param onExit closes the files of a process, whose memory is gone already. */
  constructor(system: MemorySystem, onExit: (mm: MmStruct, process: number) => void) {
    this.system = system;
    this.kernel = system.kernel;
    this.onExit = onExit;
  }

  /** A new script has a process of its own. */
  begin(): void {
    this.parent = new ScriptMemory(mmCreate(this.system));
    this.child = undefined;
  }

  /** Process 0 or 1; undefined for one that is not there. */
  get(process: number): ScriptMemory | undefined {
    return process === 0 ? this.parent : this.child;
  }

  /** Which process has `mm`: 0 for the parent, 1 for the child. */
  numberOf(mm: number): number {
    return mm === this.parent?.mm.id ? 0 : 1;
  }

  /** Makes the child of `parent`. @returns 0 or a negative errno. */
  fork(parent: ScriptMemory): number {
    const mm = this.kernel.sched.runSync(dupMm(parent.mm));
    if (typeof mm === 'number') return mm;
    this.child = new ScriptMemory(mm);
    return 0;
  }

  /** Lets process `process` end: its memory goes, then its files, then what it had pinned. */
  exit(process: number): void {
    const ending = this.get(process);
    if (ending === undefined) return;
    if (process === 0) this.parent = undefined;
    this.kernel.sched.runSync(mmput(ending.mm));
    this.onExit(ending.mm, process);
    if (process !== 0) this.child = undefined;
    ending.unpin();
    if (this.kernel.does.unmapDrainsLru) lruAddDrain(this.system);
  }

  /** Ends what is left, the child first. */
  end(): void {
    this.exit(1);
    this.exit(0);
  }
}
