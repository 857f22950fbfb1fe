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
import { devicesByClient, Execution, RandomWalk, recordedModel } from '@hmm/explore/internal';
import { allDrivers } from '@hmm/drivers';
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
const WORDS = ['CPU load', 'CPU store', 'GPU access'];

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

const library = readdirSync(LIBRARY).map((name) => [name.replace('.litmus', ''), program(name)] as const);
/** The library's tests of the kernel, and those that name a driver and run its functions too. */
const programs = new Map(library.filter(([, { settings }]) => !settings.has('client')));
const driven = new Map(library.filter(([, { settings }]) => settings.has('client')));

/** The functions that doc tags are looked up in: the drivers' own, and the kernel's that only they call. */
const tagged = new Set(
  ['linux', 'nouveau', 'nvidia-uvm']
    .flatMap((name) => file(`../../../tools/checks/symbols/${name}.txt`).split('\n'))
    .filter((line) => !line.startsWith('#'))
    .flatMap((line) => (line.split(': ')[1] ?? '').split(/[ |]+/)),
);

describe('the names in stories', () => {
  it('are functions of the kernel in the library of litmus tests', () => {
    for (const [name, each] of programs) {
      const unknown = unknownNames(litmusModel(each, litmusDevices));
      // A test of a later release may run what 6.12 has not.
      const wrong = each.settings.has('release') ? unknown.filter((told) => !tagged.has(told)) : unknown;
      expect(wrong, name).toEqual([]);
    }
    expect(printed.size).toBeGreaterThan(80);
  });

  it('are functions of the kernel or of the driver in tests that name a driver', () => {
    const devices = devicesByClient(allDrivers(), litmusDevices);
    const wrong = [...driven].flatMap(([name, each]) =>
      unknownNames(litmusModel(each, devices))
        .filter((told) => !tagged.has(told))
        .map((told) => `${name}: ${told}`),
    );
    expect(driven.size).toBeGreaterThan(50);
    expect(wrong).toEqual([]);
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
