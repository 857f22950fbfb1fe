import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  compileLitmus,
  FunctionNames,
  litmusModel,
  type LitmusProgram,
  type Model,
  parseRecordedTests,
} from '@hmm/explore';
import { Execution, RandomWalk, recordedModel } from '@hmm/explore/internal';
import { litmusDevices } from '@hmm/test-device';
import { parseProgram } from '@hmm/workload';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const file = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const LIBRARY = fileURLToPath(new URL('../../../packages/explore/litmus/', import.meta.url));
const MAX_STEPS = 3000;
/** Frames of a stack that hold a whole chain of callers. */
const STACK_DEPTH = 60;
/** Chains of callers are long to name: of the library's tests only one in so many has them named. */
const SAMPLE = 8;
/** What a story says besides names of kernel functions. */
const WORDS = ['CPU load', 'CPU store'];

/** Names that were looked up in the kernel's sources: `path: names` a line, `#` begins a comment. */
const VERIFIED = '../../../packages/explore/test/kernel-6.12-functions.txt';
const known = new Set([
  ...WORDS,
  ...file(VERIFIED)
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .flatMap((line) => line.split(/:? /).slice(1)),
]);

/** A random walk whose functions are named. */
class NamedWalk extends RandomWalk {
  override readonly accesses: FunctionNames;

  constructor(model: Model, whole: boolean) {
    super(1);
    this.accesses = new FunctionNames(whole, [model.naming]);
  }
}

const printed = new Set<string>();

/** The names of one execution that are in no list. */
function unknownNames(model: Model, whole = false): string[] {
  const walk = new NamedWalk(model, whole);
  new Execution(model, walk, MAX_STEPS).run();
  const names = new Set(walk.accesses.take());
  for (const name of names) printed.add(name);
  return [...names].filter((name) => !known.has(name));
}

function program(name: string): LitmusProgram {
  const parsed = parseProgram(readFileSync(LIBRARY + name, 'utf8'), name);
  if (!parsed.ok) throw new Error(`${name} does not parse`);
  const compiled = compileLitmus(parsed.program, name);
  if (!compiled.ok) throw new Error(`${name} does not compile`);
  return compiled.program;
}

/** The library's tests of the kernel: those that name a driver run its functions, which the list does not have. */
const programs = new Map(
  readdirSync(LIBRARY)
    .map((name) => [name.replace('.litmus', ''), program(name)] as const)
    .filter(([, { settings }]) => !settings.has('client')),
);

describe('the names in stories', () => {
  it('are functions of the kernel in the library of litmus tests', () => {
    for (const [name, each] of programs)
      expect(unknownNames(litmusModel(each, litmusDevices)), name).toEqual([]);
    expect(printed.size).toBeGreaterThan(80);
  });

  it('are functions of the kernel in the recorded tests', () => {
    const text = file('../../../tools/golden/linux-6.12/races.jsonl');
    for (const each of parseRecordedTests(text, 'races.jsonl'))
      expect(unknownNames(recordedModel(each, litmusDevices)), each.name).toEqual([]);
  });
});

describe('the names of callers', () => {
  const { stackTraceLimit } = Error;
  beforeAll(() => {
    Error.stackTraceLimit = STACK_DEPTH;
  });
  afterAll(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });

  it('are functions of the kernel', () => {
    const sample = [...programs].filter((_, index) => index % SAMPLE === 0);
    for (const [name, each] of sample)
      expect(unknownNames(litmusModel(each, litmusDevices), true), name).toEqual([]);
  });
});
