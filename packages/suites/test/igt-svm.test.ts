import { testDeviceFactory } from '@hmm/test-device';
import { describe, expect, test } from 'vitest';
import { igtSvm, runSuite, type SuiteClient } from '../src/index.js';

const client: SuiteClient = {
  name: 'test-device',
  factory: testDeviceFactory(),
  gpu: 'dmirror-private',
  settings: new Map(),
};

describe('the grid of xe_exec_system_allocator', () => {
  test('it has 75 flag sets in 25 shapes, each by one name', () => {
    const names = igtSvm()
      .tests(client, '7.3')
      .map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThanOrEqual(1875);
    expect(names).toContain('threads-shared-vm-many-large-execqueues-mmap-shared-remap-dontunmap-eocheck');
  });

  test('what the original runs passes on the test device, or is refused with a reason', () => {
    const results = runSuite(igtSvm(), {
      clients: [client],
      releases: ['7.3'],
      wanted: (name) =>
        /^(once|threads-many)-(malloc-(fork-read|race|busy)|mmap-(remap|huge)|free|new)$/.test(name),
    });
    expect(results.filter(({ result }) => result === 'failed')).toEqual([]);
    expect(results.filter(({ result }) => result === 'passed').map(({ test: name }) => name)).toEqual([
      'once-malloc-fork-read',
      'once-malloc-race',
      'threads-many-malloc-race',
      'once-mmap-remap',
      'threads-many-mmap-remap',
      'once-mmap-huge',
      'threads-many-mmap-huge',
      'once-free',
      'threads-many-free',
      'once-new',
      'threads-many-new',
    ]);
    expect(results.find(({ test: name }) => name === 'once-malloc-busy')?.reason).toContain('-EBUSY');
  });

  test('a lost store is a failure', () => {
    const factory = testDeviceFactory();
    const broken: SuiteClient = {
      ...client,
      factory: {
        ...factory,
        create(host, gpu, settings) {
          const made = factory.create(host, gpu, settings);
          if (!made.ok) return made;
          const { client: device } = made;
          const open = device.openProcess.bind(device);
          device.openProcess = function* (mm) {
            const opened = yield* open(mm);
            if (opened.ok)
              opened.process.launch = function* (stream) {
                return { errno: 0, done: stream.pages.length, reason: '' };
              };
            return opened;
          };
          return made;
        },
      },
    };
    const [result] = runSuite(igtSvm(), {
      clients: [broken],
      releases: ['7.3'],
      wanted: (name) => name === 'once-mmap',
    });
    expect(result?.result).toBe('failed');
  });
});
