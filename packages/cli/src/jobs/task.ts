import {
  compileLitmus,
  type Findings,
  LitmusSearch,
  type LitmusResult,
  type MirrorDevicesFactory,
  ObservedSearch,
  type ObservedResult,
  parseRecordedTests,
  type Search,
  type SearchOptions,
  type Subtree,
} from '@hmm/explore';
import { HmmError } from '@hmm/kernel';
import { formatSourceError, parseProgram } from '@hmm/workload';

/** A test to explore, as plain data: whoever has the same devices opens the same test with it. */
export type ExplorationTask =
  | {
      readonly kind: 'litmus';
      readonly file: string;
      /** Of the file. */
      readonly text: string;
      /** Values that its parameters are given. */
      readonly parameters: readonly (readonly [string, number])[];
      /** All its settings, its own and those that it is given. */
      readonly settings: readonly (readonly [string, string])[];
    }
  | {
      readonly kind: 'observed';
      readonly file: string;
      /** Its line in the recording. */
      readonly text: string;
      readonly settings: readonly (readonly [string, string])[];
    };

/** How to search, as plain data. */
export type PlainSearchOptions = Omit<SearchOptions, 'now'>;

/** What came of a test. */
export type TestResult =
  | { readonly kind: 'litmus'; readonly result: LitmusResult }
  | { readonly kind: 'observed'; readonly result: ObservedResult };

/** A search of a test, or of a part of it. */
export interface OpenSearch {
  readonly search: Search;
  /** What it has found, or what was found in all parts together. */
  result(findings?: Findings): TestResult;
}

/**
 * Sets the initial state of a test up.
 * @param part of the whole, which is explored without.
 * @throws HmmError where the test cannot be read or set up; it names the file.
 */
export function openTask(
  task: ExplorationTask,
  devices: MirrorDevicesFactory,
  options: PlainSearchOptions,
  part?: Subtree,
): OpenSearch {
  const timed = { ...options, now: (): number => performance.now() / 1000 };
  const settings = new Map(task.settings);
  if (task.kind === 'observed') {
    const [test] = parseRecordedTests(task.text, task.file);
    if (test === undefined) throw new HmmError('RECORDING', `${task.file}: there is no test`, {});
    const running = new ObservedSearch(test, devices, timed, settings, part);
    return {
      search: running.search,
      result: (findings) => ({ kind: 'observed', result: running.result(findings) }),
    };
  }
  const { file, text } = task;
  const parsed = parseProgram(text, file);
  if (!parsed.ok) throw new HmmError('LITMUS', parsed.errors.map(formatSourceError).join('\n'), { file });
  const compiled = compileLitmus(parsed.program, file, new Map(task.parameters));
  if (!compiled.ok) throw new HmmError('LITMUS', compiled.errors.map(formatSourceError).join('\n'), { file });
  const running = new LitmusSearch({ ...compiled.program, settings }, devices, timed, part);
  return {
    search: running.search,
    result: (findings) => ({ kind: 'litmus', result: running.result(findings) }),
  };
}
