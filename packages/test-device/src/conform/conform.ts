import { type ConformResult, emptyConformResult, type FamilyResult } from '@hmm/conform';
import { HmmError, Kernel, type KernelOptions } from '@hmm/kernel';
import { decodeRangeValue, mmuNotifierEventName } from '@hmm/mmu-notifier';
import { TP_INVALIDATE_RANGE_START } from '@hmm/mmu-notifier/internal';
import { MemorySystem, mmCreate } from '@hmm/mm';
import { runBound } from '@hmm/operations';
import { regionOf, shownOutcome } from '@hmm/operations/internal';
import { MirrorOperations } from '../mirror-operations.js';
import {
  parseCorpusLine,
  type Observation,
  type OperationLine,
  type RecordedInvalidation,
  type ScriptHead,
} from './corpus.js';
import { type Script, ScriptContext, ScriptProcess } from './process.js';

const MAX_MISMATCHES = 20;

/**
 * Replays a corpus of recorded scripts on a machine as the recording one was: one that boots with the corpus and whose test
 * devices live through it, while each script has processes of its own. Feed it the lines in their order, then `end`.
 */
export class ConformReplay {
  readonly result = emptyConformResult();
  private readonly kernel: Kernel;
  private readonly system: MemorySystem;
  private readonly devices: MirrorOperations;
  private head: ScriptHead | undefined;
  private family: FamilyResult | undefined;
  private script: Script | undefined;
  private line = 0;
  private ops = 0;
  private intact = true;

  constructor(options: KernelOptions = {}) {
    this.kernel = new Kernel(options);
    this.system = new MemorySystem(this.kernel);
    this.devices = new MirrorOperations(this.system);
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
    const { devices } = this;
    const parent = new ScriptProcess('parent', mmCreate(this.system), devices);
    this.script = { devices, parent, child: undefined };
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
    const { head, family, script } = this;
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
    const { sched } = this.kernel;
    if (script?.child !== undefined) sched.runSync(script.child.exit());
    if (script !== undefined) sched.runSync(script.parent.exit());
    this.script = undefined;
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
    const { script } = this;
    const { trace, sched } = this.kernel;
    const process = number === 0 ? script?.parent : script?.child;
    if (script === undefined || process === undefined)
      throw this.misplaced('an operation of a child that is not there');
    const waited = operation.definition.kind === 'wait' ? this.childOf(script) : undefined;
    trace.clear();
    const outcome = sched.runSync(runBound(new ScriptContext(script, process), operation));
    if (waited !== undefined) {
      sched.runSync(waited.exit());
      script.child = undefined;
    }
    const shown = shownOutcome(operation, outcome);
    const inv = this.invalidations();
    return inv.length > 0 ? { ...shown, inv } : shown;
  }

  private childOf({ child }: Script): ScriptProcess {
    if (child === undefined) throw this.misplaced('a wait without a child');
    return child;
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
      const process = mm === this.script?.parent.mm.id ? 0 : 1;
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
