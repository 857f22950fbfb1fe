import {
  compileLitmus,
  DEFAULT_MAX_STEPS,
  litmusModel,
  type LitmusProgram,
  type MirrorDevicesFactory,
  type Model,
  NotifierRetry,
  type RetryMistake,
  search,
  tell,
} from '@hmm/explore';
import { HmmError, NEWEST_EXACT_RELEASE } from '@hmm/kernel';
import { parseProgram } from '@hmm/workload';
import type { LitmusStory, LitmusView } from './litmus-view.js';
import type { ProblemView } from './protocol.js';

type Compiled =
  | { readonly ok: true; readonly program: LitmusProgram; readonly model: () => Model }
  | { readonly ok: false; readonly problems: readonly ProblemView[] };

/** Explores a litmus test on `devices` for at most `budgetMs` of real time. */
export function exploreLitmus(text: string, budgetMs: number, devices: MirrorDevicesFactory): LitmusView {
  const compiled = compile(text, devices);
  if (!compiled.ok) return compiled;
  try {
    return explore(compiled, budgetMs);
  } catch (error) {
    if (!(error instanceof HmmError)) throw error;
    return { ok: false, problems: [problemOf(compiled.program, error)] };
  }
}

/** Why a test cannot be set up, at the setting that is wrong if that is the reason. */
function problemOf({ settingPlaces }: LitmusProgram, { message, data }: HmmError): ProblemView {
  const { line = 1, column = 1 } = settingPlaces.get(String(data['key'])) ?? {};
  return { line, column, message };
}

function explore(compiled: Extract<Compiled, { ok: true }>, budgetMs: number): LitmusView {
  const { program } = compiled;
  const options = {
    keepGoing: true,
    maxSeconds: budgetMs / 1000,
    now: () => performance.now() / 1000,
    minimiseExecutions: 2000,
  };
  const result = search(compiled.model(), options);
  const { explorer } = result;
  const outcomes = [...explorer.outcomes.values()].map(({ text: name, count, replay }) => ({
    text: name,
    count,
    replay,
  }));
  const witnessed = program.quantifier !== 'exists' || outcomes.some((o) => o.text.endsWith('exists'));
  const broken = explorer.violations.size > 0 || (result.complete && !witnessed);
  return {
    ok: true,
    name: program.name,
    doc: program.doc,
    verdict: broken ? 'violated' : result.complete ? 'ok' : 'incomplete',
    schedules: explorer.schedules,
    steps: explorer.steps,
    seconds: result.seconds,
    outcomes,
    story: result.counterexample,
  };
}

/** Tells one execution of a litmus test. */
export function tellLitmus(text: string, replay: string, devices: MirrorDevicesFactory): LitmusStory {
  const compiled = compile(text, devices);
  if (!compiled.ok) return compiled;
  try {
    const story = tell(compiled.model(), replay, DEFAULT_MAX_STEPS);
    const { violation } = story;
    return violation?.invariant === DIVERGED ? misfit(violation.detail) : { ok: true, story };
  } catch (error) {
    if (!(error instanceof HmmError)) throw error;
    if (error.code === 'SETTING') return { ok: false, problems: [problemOf(compiled.program, error)] };
    return misfit(error.message);
  }
}

/** What a replay string of another test breaks. */
const DIVERGED = 'REPLAY_DIVERGED';

function misfit(reason: string): LitmusStory {
  const message = `this replay string does not fit: ${reason}`;
  return { ok: false, problems: [{ line: 1, column: 1, message }] };
}

function compile(text: string, devices: MirrorDevicesFactory): Compiled {
  const protocol = protocolTest(text);
  if (protocol !== undefined) return protocol;
  const parsed = parseProgram(text, 'litmus test');
  if (!parsed.ok) return { ok: false, problems: parsed.errors };
  if (parsed.program.kind !== 'litmus') {
    const message = 'this is a program: a litmus test begins with "litmus NAME" and has columns';
    return { ok: false, problems: [{ line: 1, column: 1, message }] };
  }
  const compiled = compileLitmus(parsed.program, 'litmus test');
  if (!compiled.ok) return { ok: false, problems: compiled.errors };
  const settings = new Map([['release', NEWEST_EXACT_RELEASE], ...compiled.program.settings]);
  const program = { ...compiled.program, settings };
  return { ok: true, program, model: () => litmusModel(program, devices) };
}

const MISTAKES: ReadonlyMap<string, RetryMistake | undefined> = new Map([
  ['none', undefined],
  ['no-retry', 'no-retry'],
  ['retry-unlocked', 'retry-unlocked'],
  ['no-set-seq', 'no-set-seq'],
  ['begin-late', 'begin-late'],
]);

/** `protocol MISTAKE`: the sequence-retry protocol alone, with a driver that makes one of the classical mistakes. */
function protocolTest(text: string): Compiled | undefined {
  const found = /^\s*protocol\s+(\S+)\s*$/.exec(text.replaceAll(/#.*$/gm, ''));
  const name = found?.[1];
  if (name === undefined) return undefined;
  if (!MISTAKES.has(name)) {
    const message = `a mistake is one of ${[...MISTAKES.keys()].join(', ')}`;
    return { ok: false, problems: [{ line: 1, column: 1, message }] };
  }
  const mistake = MISTAKES.get(name);
  const model = (): Model => new NotifierRetry([[['fault', 1]], [['replace', 1]]], mistake);
  const program: LitmusProgram = {
    name: `protocol ${name}`,
    doc:
      mistake === undefined
        ? 'The device faults on a page while the CPU replaces it; the driver follows the protocol.'
        : `The device faults on a page while the CPU replaces it; the driver’s mistake: ${mistake}.`,
    settings: new Map(),
    settingPlaces: new Map(),
    regions: new Map(),
    init: [],
    threads: [],
    final: [],
    quantifier: undefined,
    condition: undefined,
    values: new Map(),
  };
  return { ok: true, program, model };
}
