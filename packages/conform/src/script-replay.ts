import { type CorpusOperation, corpusError, parseCorpusRecord, type ScriptHead } from './corpus.js';
import { type ConformResult, ConformTally } from './result.js';

/** A model under replay: what it does with the scripts of a corpus. */
export interface ScriptSubject {
  /** A script begins. */
  begin(head: ScriptHead): void;
  /**
   * Runs an operation. @returns what it showed, in the fields in which the recording has it.
   * @throws HmmError `CORPUS` for one that cannot be read, or cannot stand where it does.
   */
  run(operation: CorpusOperation, line: number): Readonly<Record<string, unknown>>;
  /** The script is over. */
  end(): void;
}

/** Feeds a corpus to a {@link ScriptSubject} and counts where it shows what was recorded. */
export class ScriptReplay {
  private readonly subject: ScriptSubject;
  private readonly fields: readonly string[];
  private readonly tally = new ConformTally();
  private head: ScriptHead | undefined;
  private line = 0;
  private ops = 0;

  /** @param fields of an operation's line that are compared; one that is absent is so on both sides. */
  constructor(subject: ScriptSubject, fields: readonly string[]) {
    this.subject = subject;
    this.fields = fields;
  }

  /**
   * Replays one line.
   * @throws HmmError `CORPUS` for a line that cannot be read, or that cannot stand where it does.
   */
  feed(text: string): void {
    this.line++;
    const line = parseCorpusRecord(text, this.line);
    if (line.kind === 'script') {
      this.endScript();
      this.head = line;
      this.ops = 0;
      this.tally.begin(line.script, line.family, line.judged);
      this.subject.begin(line);
    } else this.operation(line);
  }

  /** Ends the last script. @throws HmmError `CORPUS` when lines are missing. */
  end(): ConformResult {
    this.endScript();
    return this.tally.result;
  }

  private operation(line: CorpusOperation): void {
    if (this.head === undefined) throw corpusError(this.line, 'an operation before the first script');
    this.ops++;
    const shown = this.subject.run(line, this.line);
    const same = this.fields.every((field) => sameValue(line.record[field], shown[field]));
    const expected = same ? line.record : this.select(line.record);
    this.tally.count(same, this.line, line.text, expected, shown);
  }

  private endScript(): void {
    const { head, ops, line } = this;
    if (head === undefined) return;
    if (ops !== head.ops) throw corpusError(line, `${head.script} has ${ops} operations, not ${head.ops}`);
    this.subject.end();
    this.tally.end();
    this.head = undefined;
  }

  private select(record: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return Object.fromEntries(
      this.fields.filter((field) => record[field] !== undefined).map((field) => [field, record[field]]),
    );
  }
}

/** Whether what was shown is what was recorded, plain or in lists of lists. A recorded null stands for what no rule determines. */
function sameValue(a: unknown, b: unknown): boolean {
  if (a === null) return b !== undefined;
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameValue(a[i], b[i])) return false;
  return true;
}

/** Replays a whole corpus given line by line. @throws HmmError `CORPUS`, see {@link ScriptReplay}. */
export async function replayScripts(
  lines: AsyncIterable<string> | Iterable<string>,
  subject: ScriptSubject,
  fields: readonly string[],
): Promise<ConformResult> {
  const replay = new ScriptReplay(subject, fields);
  for await (const line of lines) if (line !== '') replay.feed(line);
  return replay.end();
}
