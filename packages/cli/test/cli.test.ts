import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  type Application,
  compareCommand,
  conformCommand,
  type Output,
  runApplication,
  runCommand,
  validateCommand,
} from '@hmm/cli';
import type { ConformResult } from '@hmm/conform';
import { HmmError } from '@hmm/kernel';
import type { ClientFactory } from '@hmm/device';
import { MIRROR_STEPS, MirrorClient } from '@hmm/machine/contract';

const RULES = {
  gpuFault: 'leaves it.',
  firstTouch: 'as the CPU.',
  cpuFault: 'nothing to bring home.',
  granularity: 'one page.',
  sharing: 'both map it.',
  oversubscription: 'no memory.',
  atomics: 'none.',
  hints: 'none.',
  badAddress: 'fails.',
  fork: 'copies.',
};
const mirror = (name: string): ClientFactory => ({
  name,
  title: 'a mirror',
  gpus: ['none', 'other'],
  settings: { speed: 'how fast' },
  rules: RULES,
  steps: MIRROR_STEPS,
  create: ({ kernel }, _gpu, settings) =>
    settings.get('speed') === 'wrong'
      ? { ok: false, message: 'speed=wrong: expected a number' }
      : { ok: true, client: new MirrorClient(kernel) },
});

const folder = mkdtempSync(join(tmpdir(), 'hmm-cli-'));
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
};
const FIRST = file(
  'first.hmm',
  'let n = 1\nmalloc a 4KiB\ncpu write a[0] = 5\ngpu read a[0] -> x\nassert x == 5 * n\n',
);

interface Ran {
  readonly code: number;
  readonly data: string;
  readonly said: string;
}

const app = (commands: Application['commands']): Application => ({
  name: 'hmm',
  version: '1.2.3',
  description: 'test',
  examples: ['hmm run x.hmm'],
  commands,
});

const hmm = async (argv: string[], commands: Application['commands']): Promise<Ran> => {
  let data = '';
  let said = '';
  const output: Output = {
    watched: false,
    data: (text) => (data += text),
    say: (line) => (said += `${line}\n`),
    progress: () => undefined,
  };
  const code = await runApplication(app(commands), argv, output);
  return { code, data, said };
};
const run = (...argv: string[]): Promise<Ran> =>
  hmm(argv, [runCommand([mirror('mirror')]), compareCommand([mirror('mirror'), mirror('twin')], 'none')]);

describe('run', () => {
  test('says what it cost on standard output, nothing on standard error', async () => {
    const { code, data, said } = await run('run', FIRST);
    expect(code).toBe(0);
    expect(said).toBe('');
    expect(data).toContain('first under mirror');
    expect(data.split('\n').every((line) => line.length <= 80)).toBe(true);
  });

  test('--json is one document of version 1, the same every time', async () => {
    const once = await run('run', FIRST, '--json');
    expect(JSON.parse(once.data)).toMatchObject({
      version: 1,
      program: 'first',
      run: { values: { x: [5] }, error: null },
    });
    expect(await run('run', FIRST, '--json')).toEqual(once);
  });

  test('an assertion that does not hold is exit code 1', async () => {
    const { code, data } = await run('run', FIRST, '--set', 'n=2');
    expect(code).toBe(1);
    expect(data).toContain('first.hmm:5:8: x = 5, n = 2');
  });

  test('packed programs are unpacked', async () => {
    const packed = file('first.hmm.gz', gzipSync(readFileSync(FIRST)));
    expect((await run('run', packed)).code).toBe(0);
  });
});

describe('compare', () => {
  test('has every client, and no difference between two that are the same', async () => {
    const { code, data } = await run('compare', FIRST, '--json');
    expect(code).toBe(0);
    const report: unknown = JSON.parse(data);
    expect(report).toMatchObject({
      version: 1,
      gpu: 'none',
      clients: [{ client: 'mirror' }, { client: 'twin' }],
      differences: [],
    });
  });
});

describe('wrong usage and input is one clear line and exit code 2', () => {
  const packed = gzipSync(Buffer.from('malloc a 4KiB\n'.repeat(1000)));
  test.each([
    [['frob'], /unknown command 'frob'/],
    [['run'], /missing required argument 'file'/],
    [['run', FIRST, '--foo'], /unknown option '--foo'/],
    [['run', FIRST, '--seed', 'x'], /a whole number is needed/],
    [['run', FIRST, '--set', 'x'], /key=value is needed/],
    [['run', FIRST, '--set', 'what=1'], /nothing called what to set .*parameters of .*first.hmm: n.*speed/],
    [['run', FIRST, '--set', 'n=many'], /a number is needed/],
    [['run', FIRST, '--set', 'speed=wrong'], /mirror: speed=wrong: expected a number/],
    [['run', FIRST, '--client', 'amd'], /there is no client amd \(clients: mirror\)/],
    [['run', FIRST, '--gpu', 'voodoo'], /mirror knows no GPU voodoo \(GPUs: none, other\)/],
    [['run', join(folder, 'nothing.hmm')], /nothing.hmm: there is no such file/],
    [['run', folder], /this is a directory/],
    [
      ['run', file('unset.hmm', 'set sped = 1\nmalloc a 4KiB\n')],
      /unset.hmm:1:5: there is nothing called sped to set/,
    ],
    [
      ['run', file('bad.hmm', 'malloc a 4KiB\ngpu fetch a\n')],
      /bad.hmm:2:5: expected read, write, atomic or stream but found 'fetch'/,
    ],
    [['run', file('cut.gz', packed.subarray(0, packed.length - 9))], /cut.gz: this gzip file is truncated/],
    [
      ['run', file('broken.gz', Buffer.concat([packed.subarray(0, 12), Buffer.alloc(30, 7)]))],
      /broken.gz at byte \d+: expected the rest of the gzip stream/,
    ],
    [['run', file('binary', Buffer.from([0, 1, 2]))], /binary: this is a binary file/],
    [['compare', FIRST, '--client', 'mirror,amd'], /there is no client amd/],
  ])('%j', async (argv, message) => {
    const { code, data, said } = await run(...argv);
    expect(code).toBe(2);
    expect(data).toBe('');
    expect(said).toMatch(message);
    expect(said.trim().split('\n')).toHaveLength(1);
  });
});

describe('help', () => {
  test('without arguments it shows the commands and copyable examples', async () => {
    const { code, data } = await run();
    expect(code).toBe(0);
    expect(data).toContain('Examples:\n  hmm run x.hmm');
  });

  test('each command has examples; --version is the version', async () => {
    expect((await run('run', '--help')).data).toContain('Examples:\n  hmm run first-example.hmm');
    expect((await run('--version')).data).toBe('1.2.3\n');
  });
});

describe('recordings', () => {
  const validator = {
    parseCapture: (text: string) =>
      text.startsWith('{')
        ? ({ ok: true, runs: text.trim().split('\n') } as const)
        : ({ ok: false, line: 1, column: 3, message: 'not JSON' } as const),
    parseTimes: (text: string) => ({ ok: true, times: text }) as const,
    scenariosOf: (runs: readonly string[]) => runs.map((name) => ({ name })),
    validateScenarios: (scenarios: readonly { readonly name: string }[]) => ({
      version: 1 as const,
      scenarios: scenarios.length,
      deterministic: scenarios.length,
      exact: 1,
      per_scenario: scenarios.map(({ name }) => ({
        name,
        deterministic: true,
        exact: true,
        first_difference: null,
        time_ratio: 1,
      })),
    }),
  };
  const validate = (...argv: string[]): Promise<Ran> => hmm(argv, [validateCommand(validator)]);

  test('validate: all exact is 0, a difference is 1', async () => {
    const capture = file('capture.jsonl', '{"a"}\n{"b"}\n');
    expect((await validate('validate', capture, '--only', 'a', '--json')).code).toBe(0);
    expect((await validate('validate', capture)).code).toBe(1);
  });

  test('validate: what is wrong has its line and column', async () => {
    const { code, said } = await validate('validate', FIRST);
    expect(code).toBe(2);
    expect(said).toContain('first.hmm:1:3: not JSON');
    expect((await validate('validate', file('c.jsonl', '{"a"}'), '--only', 'zzz')).said).toContain(
      'no scenario has zzz',
    );
  });

  const result = (matched: number): ConformResult => ({
    version: 1,
    scripts: 1,
    ops: 2,
    matched,
    families: {},
    mismatches: [],
  });
  const conform = (matched: number, ...argv: string[]): Promise<Ran> => {
    return hmm(argv, [
      conformCommand([
        {
          client: 'none',
          of: 'nothing',
          example: 'corpus',
          conform: async (lines) => {
            for await (const line of lines) expect(line).toBe('line');
            return result(matched);
          },
        },
      ]),
    ]);
  };

  test('conform: all operations alike is 0, else 1; a cut file is 2', async () => {
    const corpus = file('corpus.jsonl', 'line\nline\n');
    expect((await conform(2, 'conform', corpus, '--json')).code).toBe(0);
    expect((await conform(1, 'conform', corpus)).code).toBe(1);
    const packed = gzipSync(Buffer.from('line\n'.repeat(5000)));
    const cut = await conform(2, 'conform', file('corpus.gz', packed.subarray(0, packed.length - 9)));
    expect(cut).toMatchObject({ code: 2, data: '' });
    expect(cut.said).toContain('corpus.gz: this gzip file is truncated');
    expect((await conform(2, 'conform', join(folder, 'none'))).said).toContain('there is no such file');
  });

  test('conform --jobs: threads replay the corpora, and are heard in the order of the files', async () => {
    const worker = file(
      'conform-worker.mjs',
      `const result = (file) => ({ version: 1, scripts: 1, ops: 1, matched: 0, families: {},
         mismatches: [{ script: file, line: 1, op: 'x', expected: 1, got: 2 }] });
       export default async ({ file }) => {
         await new Promise((resolve) => setTimeout(resolve, file.endsWith('a') ? 50 : 0));
         if (file.endsWith('dies')) throw new Error('no');
         return file.endsWith('bad') ? { ok: false, message: 'bad: no' } : { ok: true, result: result(file) };
       };`,
    );
    const replayer = {
      client: 'none',
      of: 'nothing',
      example: 'corpus',
      conform: () => Promise.reject(new Error()),
    };
    const jobs = (...files: string[]): Promise<Ran> =>
      hmm(
        ['conform', ...files.map((name) => file(name, 'line\n')), '--jobs', '2', '--json'],
        [conformCommand([replayer], pathToFileURL(worker))],
      );
    const { code, data } = await jobs('a', 'b', 'c');
    expect(code).toBe(1);
    const { mismatches } = JSON.parse(data) as { mismatches: { script: string }[] };
    expect(mismatches.map(({ script }) => basename(script))).toEqual(['a', 'b', 'c']);
    expect(await jobs('a', 'bad')).toMatchObject({ code: 2, data: '', said: 'error: bad: no\n' });
    expect((await jobs('a', 'dies')).said).toContain('dies: the worker ended');
  });

  test('conform and validate name the version of the recordings, where the file is as that version has it', async () => {
    const lines = 'line\nline\n';
    const corpus = file('golden/linux/corpus.jsonl', lines);
    const sha256 = createHash('sha256').update(lines).digest('hex');
    file('golden/recordings.json', JSON.stringify({ recordings: [{ file: 'linux/corpus.jsonl', sha256 }] }));
    file('golden/package.json', '{"name":"@my/golden","version":"1.2.3"}');
    const collection = { name: '@my/golden', version: '1.2.3', file: 'linux/corpus.jsonl' };
    const { data } = await conform(2, 'conform', corpus, '--json');
    expect(JSON.parse(data)).toMatchObject({
      version: 1,
      recordings: [{ file: corpus, sha256, collection }],
    });
    expect((await conform(2, 'conform', corpus)).data).toContain('linux/corpus.jsonl of @my/golden 1.2.3');
    const changed = file('golden/linux/corpus.jsonl', `${lines}line\n`);
    const other = JSON.parse((await conform(2, 'conform', changed, '--json')).data) as object;
    expect(other).toMatchObject({ recordings: [{ collection: null }] });
    const capture = file('golden/capture.jsonl', '{"a"}\n');
    const ran = await validate('validate', capture, '--json');
    expect(JSON.parse(ran.data)).toMatchObject({ recordings: [{ file: capture, collection: null }] });
    expect((await validate('validate', capture)).data.replaceAll('\n', ' ')).toContain(
      'of no published version',
    );
  });

  test('conform: a bad line is all that is said of a file whose end is missing too', async () => {
    const packed = gzipSync(Buffer.from('line\n'.repeat(5000)));
    const cut = file('bad.gz', packed.subarray(0, packed.length - 9));
    const run = await hmm(
      ['conform', cut],
      [
        conformCommand([
          {
            client: 'none',
            of: 'nothing',
            example: 'corpus',
            conform: () => Promise.reject(new HmmError('CORPUS', 'line 1: no operation', { line: 1 })),
          },
        ]),
      ],
    );
    expect(run).toMatchObject({ code: 2, data: '' });
    expect(run.said).toBe(`error: ${cut}:1: no operation\n`);
  });
});
