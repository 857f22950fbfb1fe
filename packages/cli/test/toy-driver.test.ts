import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  compareCommand,
  exportCommand,
  gpusCommand,
  type Output,
  runApplication,
  runCommand,
} from '@hmm/cli';
import type { ClientFactory } from '@hmm/device';
import { MirrorClient } from '@hmm/machine/contract';
import { toyFactory } from '@hmm/toy-driver';

const folder = mkdtempSync(join(tmpdir(), 'toy-driver-'));
const PROGRAM = join(folder, 'walk.hmm');
writeFileSync(PROGRAM, 'malloc a 64pages\ncpu write a = 5\ngpu read a -> x\nassert x[63] == 5\n');

/** Another driver to compare with: told as the toy is, but it maps page by page. */
const other: ClientFactory = {
  ...toyFactory(),
  name: 'other',
  create: ({ kernel }) => ({ ok: true, client: new MirrorClient(kernel) }),
};

interface Ran {
  readonly code: number;
  readonly data: string;
  readonly said: string;
}

const hmm = async (...argv: string[]): Promise<Ran> => {
  let data = '';
  let said = '';
  const output: Output = {
    watched: false,
    data: (text) => (data += text),
    say: (line) => (said += `${line}\n`),
    progress: () => undefined,
  };
  const commands = [
    runCommand([toyFactory()]),
    compareCommand([toyFactory(), other], 'toy-card'),
    exportCommand([toyFactory()]),
    gpusCommand([toyFactory()]),
  ];
  const application = {
    name: 'toy',
    version: '1.0.0',
    description: 'toy',
    examples: ['toy run x.hmm'],
    commands,
  };
  return { code: await runApplication(application, argv, output), data, said };
};

describe('a driver that nobody here knows, with its factory registered and nothing else', () => {
  test('a run is diagnosed: what its faults and mappings cost, and where', async () => {
    const { code, data } = await hmm('run', PROGRAM, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(data)).toMatchObject({
      run: { client: 'toy', faults: 4, remote_maps: 64, values: { x: new Array(64).fill(5) } },
      diagnosis: { regions: [{ name: 'a', gpu_faults: 4, remote_pages: 64 }] },
    });
    expect((await hmm('run', PROGRAM)).data).toContain('toy on toy-card');
  });

  test('a comparison names the differences and the rule of each driver', async () => {
    const { code, data } = await hmm('compare', PROGRAM);
    expect(code).toBe(0);
    expect(data).toContain('toy');
    expect(data).toContain('other');
    const compared = await hmm('compare', PROGRAM, '--json');
    expect(JSON.parse(compared.data)).toMatchObject({
      clients: [
        { client: 'toy', faults: 4 },
        { client: 'other', faults: 64 },
      ],
    });
    expect(data.replaceAll(/\s+/g, ' ')).toContain('a fault maps up to 16 pages.');
  });

  test('an export draws its faults on the warps, and the rest where they happened', async () => {
    const path = join(folder, 'walk.csv');
    expect((await hmm('export', PROGRAM, '-o', path)).code).toBe(0);
    expect(readFileSync(path, 'utf8').match(/toy:fault/g)).toHaveLength(4);
    const chrome = join(folder, 'walk.json');
    expect((await hmm('export', PROGRAM, '--to', 'chrome', '-o', chrome)).code).toBe(0);
    expect(readFileSync(chrome, 'utf8').match(/"GPU fault"/g)).toHaveLength(4);
  });
});

describe('costs from a file', () => {
  const costs = join(folder, 'costs.json');
  writeFileSync(costs, '{}');

  test('are refused in a line where the driver takes none', async () => {
    for (const command of ['run', 'compare']) {
      const { code, data, said } = await hmm(command, PROGRAM, '--costs', costs);
      expect({ code, data }).toEqual({ code: 2, data: '' });
      expect(said).toMatch(/^error: --costs \S+costs.json: .*takes? (no )?costs from a file\n$/);
    }
  });
});
