import { type CorpusOperation, corpusError, type ScriptSubject } from '@hmm/conform';
import { HmmError, Kernel, type KernelOptions } from '@hmm/kernel';
import { MemorySystem, mmCreate } from '@hmm/mm';
import { parseRecorded, type RecordedOperation, runBound } from '@hmm/operations';
import { shownOutcome } from '@hmm/operations/internal';
import { RXE_7_3 } from '../options.js';
import { RxeClient } from '../rxe-client.js';
import { recordedEvents } from './events.js';
import { type Script, ScriptContext, ScriptProcess } from './process.js';

/** rxe as Linux 7.3 has it: a machine that boots with the corpus, and for each script a process that opens the adapter. */
export class RxeSubject implements ScriptSubject {
  private readonly kernel: Kernel;
  private readonly system: MemorySystem;
  private readonly rxe: RxeClient;
  private script: Script | undefined;

  constructor(options: KernelOptions) {
    this.kernel = new Kernel(options);
    this.kernel.trace.on = true;
    this.system = new MemorySystem(this.kernel);
    this.rxe = new RxeClient(this.system, RXE_7_3);
  }

  /** @inheritdoc */
  begin(): void {
    const { rxe } = this;
    this.script = { rxe, parent: new ScriptProcess('parent', mmCreate(this.system), rxe), child: undefined };
  }

  /** @inheritdoc */
  run(line: CorpusOperation, at: number): Readonly<Record<string, unknown>> {
    const { script } = this;
    const { sched, trace } = this.kernel;
    const process = line.process === 0 ? script?.parent : script?.child;
    if (script === undefined || process === undefined)
      throw corpusError(at, 'an operation of a process that is not there');
    const operation = operationOf(line.text, at);
    const waited = operation.definition.kind === 'wait' ? script.child : undefined;
    trace.clear();
    const outcome = sched.runSync(runBound(new ScriptContext(script, process), operation));
    if (waited !== undefined) {
      sched.runSync(waited.exit());
      script.child = undefined;
    }
    const shown = shownOutcome(operation, outcome);
    const ev = recordedEvents(trace, (mm) => (mm === script.parent.mm.id ? 0 : 1));
    return ev.length > 0 ? { ...shown, ev } : { ...shown };
  }

  /** The child first. */
  end(): void {
    const { sched } = this.kernel;
    if (this.script?.child !== undefined) sched.runSync(this.script.child.exit());
    if (this.script !== undefined) sched.runSync(this.script.parent.exit());
    this.script = undefined;
  }
}

function operationOf(text: string, line: number): RecordedOperation {
  try {
    return parseRecorded(text, 'scripts');
  } catch (error) {
    if (error instanceof HmmError && error.code === 'OPERATION') throw corpusError(line, error.message);
    throw error;
  }
}
