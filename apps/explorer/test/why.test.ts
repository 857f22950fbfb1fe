import { describe, expect, test } from 'vitest';
import { parseProgram } from '@hmm/workload';
import { CLIENTS } from '../src/drivers.js';
import { type PaneRun, runPane } from '../src/engine/run-pane.js';
import { whyChain } from '../src/engine/why.js';
import { FIRST_EXAMPLE } from '../src/examples/programs.js';

function runOf(text: string, client: string): PaneRun {
  const parsed = parseProgram(text, 'test');
  if (!parsed.ok) throw new Error(parsed.errors[0]?.message);
  const pane = runPane(parsed.program, { client, gpu: '', settings: [] }, CLIENTS);
  if (!pane.ok) throw new Error(pane.message);
  return pane;
}

function eventOf(pane: PaneRun, kind: string, nth = 0): number {
  const { events, kinds } = pane.run;
  const found = Array.from({ length: events.length }, (_, i) => i).filter(
    (i) => kinds[events.kind[i] ?? 0] === kind,
  );
  return found[nth] ?? -1;
}

describe('why', () => {
  test('given a migration under NVIDIA, then the chain goes from the access to the result', () => {
    const pane = runOf(FIRST_EXAMPLE, 'nvidia');
    const chain = whyChain(pane, eventOf(pane, 'uvm:Migration'));
    const titles = chain.map(({ title }) => title);
    expect(titles.slice(0, 4)).toEqual(['access', 'fault', 'batch', 'decision']);
    expect(titles).toContain('migration');
    expect(titles.slice(-2)).toEqual(['replay', 'result']);
    expect(chain[0]?.text).toContain('gpu read a');
  });

  test('given a mapping under nouveau, then nothing moved and the page stays where it is', () => {
    const pane = runOf(FIRST_EXAMPLE, 'nouveau');
    const chain = whyChain(pane, eventOf(pane, 'nouveau:pfnmap', 3));
    expect(chain.find(({ title }) => title === 'decision')?.text).toBe('mapped where it is');
    expect(chain.find(({ title }) => title === 'fault')?.text).toContain('a[3]');
    expect(chain.map(({ title }) => title)).not.toContain('migration');
  });

  test('the tree of each fault of a serial pass chooses what was then moved', () => {
    const pane = runOf('set gpu = p100\nmanaged a 2MiB\ncpu write a = 1\ngpu read a serial\n', 'nvidia');
    const brought = [0, 1, 2, 3, 4, 5].map((nth) => {
      const fault = eventOf(pane, 'uvm:GpuFault', nth);
      const tree = whyChain(pane, fault).find((link) => link.tree !== undefined)?.tree;
      const chosen = tree?.levels.findLast(({ dense }) => dense);
      const moved = tree?.leaves.filter((leaf) => leaf >= 2).length ?? 0;
      return [moved, chosen?.pages];
    });
    expect(brought).toEqual([
      [16, 16],
      [16, 32],
      [32, 64],
      [64, 128],
      [128, 256],
      [256, 512],
    ]);
  });
});
