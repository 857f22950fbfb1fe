import { runSuite } from '@hmm/suites';
import { describe, expect, test } from 'vitest';
import { suiteClients, suites } from '../src/suites.js';

/** A sample: `hmm suites` runs all. */
const WANTED =
  /^(once-(mmap-huge|free|malloc-race)|partial-atomic-middle-remap-cpu-fault|madvise-preffered-loc-atomic-(cpu|vram)|explored-once-free-race|PartialUnmapSysMemTest|EvictSystemRangeTest|InvalidRangeTest|home: .*|back pointer: .*|partial migration: .*)$/;

describe('suites that others wrote', () => {
  test.each(suites.map((suite) => [suite.name, suite] as const))(
    '%s: no failure is our own',
    (_name, suite) => {
      const results = runSuite(suite, {
        clients: suiteClients,
        releases: ['7.3'],
        wanted: (name) => WANTED.test(name),
      });
      expect(results.filter(({ result, defect }) => result === 'failed' && defect === null)).toEqual([]);
      for (const { result, reason } of results) expect(reason === null).toBe(result === 'passed');
    },
  );

  test('each suite has tests that pass on each driver', () => {
    const names = suites.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['igt-svm', 'kfd-svm', 'gpusvm-rules']));
  });
});
