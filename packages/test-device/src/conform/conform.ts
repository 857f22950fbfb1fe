import { type ConformResult, emptyConformResult, type FamilyResult, ScriptProcesses } from '@hmm/conform';
import { HmmError, Kernel, type KernelOptions } from '@hmm/kernel';
import { decodeRangeValue, mmuNotifierEventName } from '@hmm/mmu-notifier';
import { TP_INVALIDATE_RANGE_START } from '@hmm/mmu-notifier/internal';
import { MemorySystem } from '@hmm/mm';
import { regionOf } from '@hmm/operations/internal';
import { MirrorOperations } from '../mirror-operations.js';
import {
  parseCorpusLine,
  type Observation,
  type OperationLine,
  type RecordedInvalidation,
  type ScriptHead,
} from './corpus.js';
import { TestDevices } from './devices.js';

const MAX_MISMATCHES = 20;

/**
 * Replays a corpus of recorded scripts on a machine as the recording one was: one that boots with the corpus and whose test
 * devices live through it, while each script has processes of its own. Feed it the lines in their order, then `end`.
 */
export class ConformReplay {
  readonly result = emptyConformResult();
  private readonly kernel: Kernel;
  private readonly processes: ScriptProcesses;
  private head: ScriptHead | undefined;
  private family: FamilyResult | undefined;
  private line = 0;
  private ops = 0;
  private intact = true;

  constructor(options: KernelOptions = {}) {
    this.kernel = new Kernel(options);
    const system = new MemorySystem(this.kernel);
    this.processes = new ScriptProcesses(system, new TestDevices(new MirrorOperations(system)));
    this.kernel.trace.on = true;
  }

  /**
   * Replays one line.
   * @throws HmmError `CORPUS` for a line that cannot be read, or that cannot stand where it does.
   */
  feed(text: string): void {
    this.line++;
    const line = parseCorpusLine(text, this.line);
    if (line.kind === 'script') {
      this.endScript();
      this.beginScript(line);
    } else this.runLine(line);
  }

  /** Runs one line as {@link feed}, whatever is expected of it. @returns what the operation shows; undefined for a head. */
  observe(text: string): Observation | undefined {
    this.line++;
    const line = parseCorpusLine(text, this.line);
    if (line.kind === 'operation') {
      this.ops++;
      return this.runOperation(line);
    }
    this.endScript();
    this.beginScript(line);
    return undefined;
  }

  /** Ends the last script. @throws HmmError `CORPUS` when lines are missing. */
  end(): ConformResult {
    this.endScript();
    return this.result;
  }

  private beginScript(head: ScriptHead): void {
    this.head = head;
    this.ops = 0;
    this.intact = true;
    this.processes.begin();
    this.family = undefined;
    if (!head.judged) return;
    this.family = this.result.families[head.family] ??= {
      scripts: 0,
      scripts_matched: 0,
      ops: 0,
      matched: 0,
    };
    this.family.scripts++;
    this.result.scripts++;
  }

  /** Tears the processes down, the child first. */
  private endScript(): void {
    const { head, family } = this;
    if (head === undefined) return;
    if (this.ops !== head.ops) {
      throw new HmmError(
        'CORPUS',
        `line ${this.line}: ${head.script} has ${this.ops} operations, not ${head.ops}`,
        {
          line: this.line,
        },
      );
    }
    this.processes.end();
    if (family !== undefined && this.intact) family.scripts_matched++;
    this.head = undefined;
  }

  private runLine(line: OperationLine): void {
    const { head, family, result } = this;
    if (head === undefined) throw this.misplaced('an operation before the first script');
    this.ops++;
    const got = this.runOperation(line);
    if (family === undefined) return;
    family.ops++;
    result.ops++;
    const same = sameObservation(got, line.expected);
    if (!same && this.intact && result.mismatches.length < MAX_MISMATCHES) {
      const { text: op, expected } = line;
      result.mismatches.push({ script: head.script, line: this.line, op, expected, got });
    }
    // What follows a mismatch starts from another state than the recording: it counts as not matched.
    if (!same) this.intact = false;
    if (!this.intact) return;
    family.matched++;
    result.matched++;
  }

  private runOperation({ process: number, operation }: OperationLine): Observation {
    const { processes } = this;
    const process = processes.get(number);
    if (process === undefined) throw this.misplaced('an operation of a child that is not there');
    if (operation.definition.kind === 'wait' && processes.child === undefined)
      throw this.misplaced('a wait without a child');
    this.kernel.trace.clear();
    const shown = processes.run(operation, process);
    const inv = this.invalidations();
    return inv.length > 0 ? { ...shown, inv } : shown;
  }

  /** What was announced since the trace was cleared, within the regions. */
  private invalidations(): RecordedInvalidation[] {
    const { trace } = this.kernel;
    const found: RecordedInvalidation[] = [];
    for (let i = 0; i < trace.length; i++) {
      if (trace.kind[i] !== TP_INVALIDATE_RANGE_START) continue;
      const where = regionOf(trace.page[i] ?? 0);
      if (where === undefined) continue;
      const { event, mm } = decodeRangeValue(trace.value[i] ?? 0);
      const pages = trace.pages[i] ?? 0;
      const process = this.processes.numberOf(mm);
      found.push([mmuNotifierEventName(event), process, where.region, where.offset, pages]);
    }
    return found;
  }

  private misplaced(what: string): HmmError {
    return new HmmError('CORPUS', `line ${this.line}: ${what}`, { line: this.line });
  }
}

/** Whether two observations are equal in every field, an empty list of invalidations being none. */
function sameObservation(a: Observation, b: Observation): boolean {
  return (
    a.rc === b.rc &&
    a.cpages === b.cpages &&
    a.faults === b.faults &&
    sameList(a.v, b.v) &&
    sameList(a.sig, b.sig) &&
    sameInvalidations(a.inv ?? [], b.inv ?? [])
  );
}

function sameList(a: readonly unknown[] | undefined, b: readonly unknown[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

function sameInvalidations(a: readonly RecordedInvalidation[], b: readonly RecordedInvalidation[]): boolean {
  return a.length === b.length && a.every((item, i) => sameList(item, b[i]));
}

/** Replays a whole corpus given line by line, on the release that `options` name. @throws HmmError `CORPUS`, see {@link ConformReplay}. */
export async function conform(
  lines: AsyncIterable<string> | Iterable<string>,
  options: KernelOptions = {},
): Promise<ConformResult> {
  const replay = new ConformReplay(options);
  for await (const line of lines) if (line !== '') replay.feed(line);
  return replay.end();
}
