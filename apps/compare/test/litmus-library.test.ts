import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allDrivers } from '@hmm/drivers';
import {
  compileLitmus,
  findHiddenDependence,
  findNondeterminism,
  litmusModel,
  type LitmusProgram,
  type LitmusReport,
  parseRecordedTests,
  runLitmus,
  runObserved,
  search,
} from '@hmm/explore';
import { devicesByClient, Execution, RandomWalk, recordedModel, withoutStates } from '@hmm/explore/internal';
import { litmusDevices } from '@hmm/test-device';
import { parseProgram } from '@hmm/workload';
import { describe, expect, test } from 'vitest';

const LIBRARY = fileURLToPath(new URL('../../../packages/explore/litmus/', import.meta.url));
const RACES = fileURLToPath(new URL('../../../tools/golden/linux-6.12/races.jsonl', import.meta.url));
const RACES_OF_7_3 = fileURLToPath(new URL('../../../tools/golden/linux-7.3/races.jsonl', import.meta.url));
const OF_7_3 = new Map([['release', '7.3']]);
/** Every so many of the 178 recorded tests of 7.3 are explored here; `hmm litmus --observed` explores all. */
const SAMPLE = 5;
/** This one has tens of thousands of executions: here it is only begun. */
const LONG = new Set(['three-way-migration']);
const now = (): number => performance.now() / 1000;

const devices = devicesByClient(allDrivers(), litmusDevices);

function program(name: string): LitmusProgram {
  const parsed = parseProgram(readFileSync(LIBRARY + name, 'utf8'), name);
  if (!parsed.ok) throw new Error(parsed.errors.map(({ message }) => message).join('\n'));
  const compiled = compileLitmus(parsed.program, name);
  if (!compiled.ok) throw new Error(compiled.errors.map(({ message }) => message).join('\n'));
  return compiled.program;
}

const programs = readdirSync(LIBRARY)
  .filter((name) => name.endsWith('.litmus'))
  .sort()
  .map(program);
const recorded = parseRecordedTests(readFileSync(RACES, 'utf8'), 'races.jsonl');
const recordedOn73 = parseRecordedTests(readFileSync(RACES_OF_7_3, 'utf8'), 'races.jsonl').filter(
  (_, i) => i % SAMPLE === 0,
);

describe('the library of litmus tests', () => {
  test('each is documented and named as its file', () => {
    const files = readdirSync(LIBRARY).map((name) => name.replace('.litmus', ''));
    expect(programs.map(({ name }) => name).sort()).toEqual(files.sort());
    for (const { doc } of programs) expect(doc.length).toBeGreaterThan(20);
    expect(programs.length).toBeGreaterThanOrEqual(60);
  });

  /** Each is explored once, for all tests that ask. */
  const reports = new Map<LitmusProgram, LitmusReport>();
  function explored(each: LitmusProgram): LitmusReport {
    const maxExecutions = LONG.has(each.name) ? 300 : 10_000;
    const report = reports.get(each) ?? runLitmus(each, devices, { now, maxExecutions }).report;
    reports.set(each, report);
    return report;
  }

  test.each(programs.map((each) => [each.name, each] as const))('%s', (name, each) => {
    const report = explored(each);
    expect(report.counterexample).toBeNull();
    expect(report.verdict).toBe(LONG.has(name) ? 'incomplete' : 'ok');
  });

  const ofAnyRelease = programs.filter(({ settings }) => !settings.has('release'));
  test.each(ofAnyRelease.map((each) => [each.name, each] as const))('%s on Linux 7.3', (name, each) => {
    const settings = new Map([...OF_7_3, ...each.settings]);
    const options = { now, maxExecutions: LONG.has(name) ? 300 : 20_000 };
    const { report } = runLitmus({ ...each, settings }, devices, options);
    expect(report.counterexample).toBeNull();
    expect(report.verdict).toBe(LONG.has(name) ? 'incomplete' : 'ok');
  });

  test('what every execution begins with is the saved state, whatever the ones before did', () => {
    for (const each of programs) {
      const model = litmusModel(each, devices);
      const walk = new RandomWalk(5);
      for (let i = 0; i < 3; i++) new Execution(model, walk, 2000).run();
      model.start({ choose: () => 0 });
      expect(model.initial.differences(), each.name).toEqual([]);
    }
  });

  // A test for each program: none comes near its time limit, however busy the machine is.
  const short = programs.filter(({ name }) => !LONG.has(name)).map((each) => [each.name, each] as const);
  test.each(short)('%s: random walks reach nothing that the reduced search does not', (_name, each) => {
    const { outcomes } = explored(each);
    const walked = runLitmus(each, devices, { strategy: 'random', maxExecutions: 30 }).report.outcomes;
    expect(walked.filter((outcome) => !outcomes.includes(outcome))).toEqual([]);
  });

  const all = programs.map((each) => [each.name, each] as const);

  test.each(all)('%s: steps that touch nothing in common can change places', (_name, each) => {
    expect(findHiddenDependence(litmusModel(each, devices), 3, 6, 4, 2000)).toBeUndefined();
  });

  test.each(all)('%s: nothing is decided by anything but the schedule', (_name, each) => {
    expect(findNondeterminism(litmusModel(each, devices), 7, 3, 2000)).toBeUndefined();
  });
});

describe('concurrent tests that a real kernel ran', () => {
  test.each(recorded.map((each) => [each.name, each] as const))(
    '%s: what was seen is allowed',
    (_name, each) => {
      const { report } = runObserved(each, devices, {
        now,
        maxExecutions: 4000,
        minimiseExecutions: 0,
      });
      expect(report.missing).toEqual([]);
    },
  );

  test.each(recordedOn73.map((each) => [each.name, each] as const))(
    '%s of Linux 7.3: what was seen is allowed',
    (_name, each) => {
      const options = { now, maxExecutions: 20_000, minimiseExecutions: 0 };
      const { report } = runObserved(each, devices, options, OF_7_3);
      expect(report.missing).toEqual([]);
    },
  );

  test.each(['todev-vs-dontneed', 'excl-vs-todev', 'three-way-unmap', 'todev-vs-pageout'])(
    '%s: a search that recognises states finds what one finds that does not',
    (name) => {
      const each = recorded.find((one) => one.name === name);
      if (each === undefined) throw new Error(`${name} is not in the recording`);
      const knowing = search(recordedModel(each, devices), { keepGoing: true }).explorer;
      const plain = search(withoutStates(recordedModel(each, devices)), { keepGoing: true }).explorer;
      expect([...knowing.outcomes.keys()].sort()).toEqual([...plain.outcomes.keys()].sort());
      expect([...knowing.violations.keys()]).toEqual([...plain.violations.keys()]);
      expect(knowing.schedules).toBeLessThan(plain.schedules);
    },
  );

  test("the test device's two races are found, and the corrected device has none", () => {
    for (const name of ['todev-vs-dontneed', 'three-way']) {
      const each = recorded.find((one) => one.name === name);
      if (each === undefined) throw new Error(`${name} is not in the recording`);
      const broken = search(recordedModel(each, devices), { maxExecutions: 3000 });
      expect([...broken.explorer.violations.keys()]).toEqual(['I5']);
      expect(broken.counterexample?.violation?.detail).toMatch(/device 0 maps page .* which is free/);
      const corrected = recordedModel(each, devices, new Map([['corrected', '1']]));
      expect([...search(corrected, { maxExecutions: 3000 }).explorer.violations.keys()]).toEqual([]);
    }
  });
});
