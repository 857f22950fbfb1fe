import {
  type CorpusOperation,
  corpusError,
  recordedOperation,
  ScriptProcesses,
  type ScriptSubject,
} from '@hmm/conform';
import { Kernel, type KernelOptions } from '@hmm/kernel';
import { MemorySystem } from '@hmm/mm';
import { RXE_7_3 } from '../options.js';
import { RxeClient } from '../rxe-client.js';
import { Adapter } from './adapter.js';
import { recordedEvents } from './events.js';

/** rxe as Linux 7.3 has it: a machine that boots with the corpus, and for each script a process that opens the adapter. */
export class RxeSubject implements ScriptSubject {
  private readonly kernel: Kernel;
  private readonly processes: ScriptProcesses;

  constructor(options: KernelOptions) {
    this.kernel = new Kernel(options);
    this.kernel.trace.on = true;
    const system = new MemorySystem(this.kernel);
    this.processes = new ScriptProcesses(system, new Adapter(new RxeClient(system, RXE_7_3)));
  }

  /** @inheritdoc */
  begin(): void {
    this.processes.begin();
  }

  /** @inheritdoc */
  run(line: CorpusOperation, at: number): Readonly<Record<string, unknown>> {
    const { processes } = this;
    const { trace } = this.kernel;
    const process = processes.get(line.process);
    if (process === undefined) throw corpusError(at, 'an operation of a process that is not there');
    trace.clear();
    const shown = processes.run(recordedOperation(line.text, at), process);
    const ev = recordedEvents(trace, (mm) => processes.numberOf(mm));
    return ev.length > 0 ? { ...shown, ev } : { ...shown };
  }

  /** @inheritdoc */
  end(): void {
    this.processes.end();
  }
}
