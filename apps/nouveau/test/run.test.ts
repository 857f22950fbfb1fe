import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Output, runApplication } from '@hmm/cli';
import { nvkmChip, nvkmFirmwareFiles } from '@hmm/nouveau-model';
import { firmwareCommand } from '../src/firmware-command.js';
import { nouveauRunCommand } from '../src/run.js';

const APPLICATION = {
  name: 'hmm-nouveau',
  version: '0',
  description: '',
  examples: [],
  commands: [nouveauRunCommand(), firmwareCommand()],
};

let folder = '';
let program = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hmm-nouveau-'));
  program = join(folder, 'first.hmm');
  writeFileSync(program, 'malloc a 4KiB cpu write a = 5 gpu read a -> x assert x == 5');
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const output: Output = {
    data: (text) => (out += text),
    say: (line) => (err += `${line}\n`),
    progress: () => undefined,
    watched: false,
  };
  const code = await runApplication(APPLICATION, argv, output);
  return { code, out, err };
}

/** A firmware directory with every image of a chip but those in `without`. */
function install(name: string, suffix: string, without: readonly string[] = []): string {
  const chip = nvkmChip(name);
  if (chip === undefined) throw new Error(`no chip ${name}`);
  const directory = mkdtempSync(join(folder, 'firmware-'));
  for (const { path } of nvkmFirmwareFiles(chip)) {
    if (without.includes(path)) continue;
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path + suffix), '');
  }
  return directory;
}

interface RunJson {
  run: { error: string | null; cpu_faults: number; values: Record<string, number[]>; gpu: string };
}
const json = (text: string): RunJson => JSON.parse(text) as RunJson;

describe('run', () => {
  test('the first example gives 5', async () => {
    const { code, out, err } = await run('run', program, '--json');
    expect(json(out).run).toMatchObject({ error: null, values: { x: [5] }, gpu: 'p100' });
    expect(code).toBe(0);
    expect(err).toMatch(
      /^note: the driver's times on p100 are those of the measured H100 times 2\.8, an estimate\n$/,
    );
  });

  test('--firmware none: no SVM, and the kernel log says why', async () => {
    const { code, out, err } = await run('run', program, '--firmware', 'none', '--json');
    expect(code).toBe(1);
    expect(json(out).run.error).toContain('the signed firmware of gp100 is missing');
    expect(err).toContain('nouveau 0000:01:00.0: acr: firmware unavailable\n');
    expect(err).toContain('nouveau 0000:01:00.0: gr: firmware unavailable\n');
  });

  test('--firmware DIR: with all images it works, with one missing it does not', async () => {
    expect((await run('run', program, '--firmware', install('gp100', ''))).code).toBe(0);
    expect((await run('run', program, '--firmware', install('gp100', '.zst'))).code).toBe(0);
    const partial = install('gp100', '.xz', ['nvidia/gp100/gr/fecs_sig.bin']);
    const { code, out } = await run('run', program, '--firmware', partial, '--json');
    expect(code).toBe(1);
    expect(json(out).run.error).toContain('nvidia/gp100/gr/fecs_sig.bin');
  });

  test('a directory that is not there is wrong usage', async () => {
    const { code, out, err } = await run('run', program, '--firmware', join(folder, 'nowhere'));
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain('firmware is all, none, or a directory');
  });

  test('SVM_BIND of a file sends the stores of the GPU to a freed page, unless that is mended', async () => {
    const file = join(folder, 'file.hmm');
    writeFileSync(file, 'file f 4KiB cpu write f = 5 svm_bind f gpu write f = 9 cpu read f -> x');
    const old = ['--kernel', '6.12', '--json'];
    expect(json((await run('run', file, '--mended', 'mapsRefusedPages', ...old)).out).run.values).toEqual({
      x: [9],
    });
    expect(json((await run('run', file, ...old)).out).run.values).toEqual({ x: [5] });
    expect((await run('run', file, '--mended', 'all', '--kernel', '5.4')).code).toBe(2);
    expect((await run('run', file, '--mended', 'most')).code).toBe(2);
  });

  test('--kernel 6.19 brings 2 MiB home by one CPU fault, 6.12 a page at a time', async () => {
    const file = join(folder, 'huge.hmm');
    writeFileSync(file, 'malloc a 2MiB madvise a hugepage cpu write a = 5 svm_bind a cpu read a');
    const cpuFaults = async (kernel: string): Promise<unknown> => {
      const { code, out } = await run('run', file, '--kernel', kernel, '--json');
      expect([code, json(out).run.error]).toEqual([0, null]);
      return json(out).run.cpu_faults;
    };
    expect(await cpuFaults('6.12')).toBe(512);
    expect(await cpuFaults('6.19')).toBe(1);
  });

  test('on a Hopper it says that GSP-RM has the GPU', async () => {
    const { code, out } = await run('run', program, '--gpu', 'h100', '--json');
    expect(code).toBe(1);
    expect(json(out).run.error).toContain('GSP-RM');
  });

  test('a killed channel is in the log on standard error', async () => {
    const file = join(folder, 'bad.hmm');
    writeFileSync(file, 'malloc a 4KiB munmap a gpu read a rc e');
    const { err } = await run('run', file);
    expect(err).toContain('fifo: fault 00 [READ] at 0000100000000000 engine 00 [GR]');
    expect(err).toContain('fifo: channel 0: killed');
  });
});

describe('firmware', () => {
  test('lists the images of a chip', async () => {
    const { code, out } = await run('firmware', 'gp104');
    expect(code).toBe(0);
    expect(out).toContain('nvidia/gp104/gr/fecs_bl.bin');
    expect(out).toContain('With them, SVM works on this chip.');
  });

  test('says which are missing, and that SVM needs more than images on some chips', async () => {
    const directory = install('gp104', '', ['nvidia/gp104/sec2/sig.bin']);
    const { code, out } = await run('firmware', 'gp104', '--firmware', directory);
    expect(code).toBe(1);
    expect(out).toContain('missing  nvidia/gp104/sec2/sig.bin');
    expect(out).toContain('1 of 20 are missing: no acceleration, no SVM.');
    const volta = JSON.parse((await run('firmware', 'v100', '--json')).out) as { svm: { ok: boolean } };
    expect(volta.svm.ok).toBe(false);
  });

  test('an unknown chip is wrong usage', async () => {
    const { code, err } = await run('firmware', 'gp999');
    expect(code).toBe(2);
    expect(err).toContain('there is no chip or GPU gp999');
  });
});
