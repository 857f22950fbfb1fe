import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import {
  GOLDEN_FILES,
  type GoldenFile,
  goldenPath,
  goldenText,
  isLinkCost,
  isRaceTest,
  isScriptHead,
  isScriptLine,
  isUvmHead,
  isUvmLine,
  isUvmTimes,
  jsonLines,
} from '../src/index.js';

const shared = fileURLToPath(new URL('../../../../shared/golden/', import.meta.url));

async function all<T>(path: string, is: (value: unknown) => value is T): Promise<T[]> {
  const values: T[] = [];
  for await (const { value } of jsonLines(path, is)) values.push(value);
  return values;
}

describe('the recordings', () => {
  it.skipIf(!existsSync(shared)).each(GOLDEN_FILES)('%s is the original, byte for byte', (file) => {
    expect(readFileSync(goldenPath(file)).equals(readFileSync(join(shared, file)))).toBe(true);
  });

  it('hold 1,296 judged scripts and 4 others, 61,646 judged operations, and heads that count them', async () => {
    let scripts = 0;
    let judgedScripts = 0;
    let judgedOperations = 0;
    let announced = 0;
    let judged = true;
    for await (const { value } of jsonLines(goldenPath('linux-6.12/public.jsonl.gz'), isScriptLine)) {
      if (isScriptHead(value)) {
        scripts++;
        judged = value.judged !== false;
        if (!judged) continue;
        judgedScripts++;
        announced += value.ops;
      } else if (judged) judgedOperations++;
    }
    expect({ scripts, judgedScripts }).toEqual({ scripts: 1300, judgedScripts: 1296 });
    expect({ judgedOperations, announced }).toEqual({ judgedOperations: 61646, announced: 61646 });
  });

  const counts = async (file: GoldenFile): Promise<{ scripts: number; ops: number; announced: number }> => {
    const sum = { scripts: 0, ops: 0, announced: 0 };
    for await (const { value } of jsonLines(goldenPath(file), isScriptLine)) {
      if (isScriptHead(value)) {
        sum.scripts++;
        sum.announced += value.ops;
      } else sum.ops++;
    }
    return sum;
  };

  it('hold 688 scripts of nouveau on Linux 6.12 with 32,100 operations, and 304 on Linux 7.3', async () => {
    const all = async (file: GoldenFile): Promise<number[]> => {
      const { scripts, ops, announced } = await counts(file);
      expect(announced).toBe(ops);
      return [scripts, ops];
    };
    expect(await all('nouveau-6.12/public.jsonl.gz')).toEqual([608, 29_527]);
    expect(await all('nouveau-6.12/nvkm.jsonl.gz')).toEqual([80, 2573]);
    expect((await all('nouveau-7.3/public.jsonl.gz'))[0]).toBe(304);
  });

  it('hold 1,340 scripts of Linux 7.3 with 57,974 operations, 178 races with 400 outcomes, and 2,690 further scripts', async () => {
    const ops = 57_974;
    expect(await counts('linux-7.3/public.jsonl.gz')).toEqual({ scripts: 1340, ops, announced: ops });
    const more = await counts('linux-7.3/more-1.jsonl.gz');
    expect([more.scripts, more.ops]).toEqual([2690, more.announced]);
    const races = await all(goldenPath('linux-7.3/races.jsonl'), isRaceTest);
    expect(races).toHaveLength(178);
    expect(races.reduce((sum, race) => sum + race.outcomes.length, 0)).toBe(400);
  });

  it('hold 36 races with 103 outcomes', async () => {
    const races = await all(goldenPath('linux-6.12/races.jsonl'), isRaceTest);
    expect(races).toHaveLength(36);
    expect(races.reduce((sum, race) => sum + race.outcomes.length, 0)).toBe(103);
  });

  it('hold 89 scenarios of the H100 and 12 more, the costs of its link, and durations', async () => {
    const scenarios = async (file: 'h100-uvm/uvm-public.jsonl.gz' | 'h100-uvm/uvm-public2.jsonl.gz') =>
      new Set((await all(goldenPath(file), isUvmLine)).filter(isUvmHead).map((head) => head.scenario)).size;
    expect(await scenarios('h100-uvm/uvm-public.jsonl.gz')).toBe(89);
    expect(await scenarios('h100-uvm/uvm-public2.jsonl.gz')).toBe(12);
    expect(await all(goldenPath('h100-uvm/link.jsonl'), isLinkCost)).toHaveLength(37);
    for (const times of await all(goldenPath('h100-uvm/times-public.jsonl.gz'), isUvmTimes)) {
      for (const runs of times.step_ns) expect(runs).toHaveLength(times.runs);
    }
    expect(goldenText('h100-uvm/uvm-params.txt')).toContain('uvm_perf_prefetch_threshold=');
  });
});

describe('a broken file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hmm-golden-'));
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const file = (name: string, content: string | Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  it('is reported with its line', async () => {
    await expect(all(file('broken.jsonl', '{"k":"a"}\n{"k":\n'), isLinkCost)).rejects.toThrow(
      'broken.jsonl:2: ',
    );
    await expect(all(file('shape.jsonl', '{"k":"a"}\n{"q":1}\n'), isLinkCost)).rejects.toThrow(
      'shape.jsonl:2: ',
    );
    await expect(all(join(folder, 'none.jsonl.gz'), isLinkCost)).rejects.toThrow('none.jsonl.gz:1: ENOENT');
  });

  it('may be a gzip that ends too early', async () => {
    const whole = gzipSync(Array.from({ length: 5000 }, (_, k) => `{"k":"${k * 7919}"}`).join('\n'));
    const cut = file('cut.jsonl.gz', whole.subarray(0, whole.length / 2));
    await expect(all(cut, isLinkCost)).rejects.toThrow(/cut\.jsonl\.gz:\d+: unexpected end of file/);
  });
});
