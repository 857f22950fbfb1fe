import type { Kernel } from '@hmm/kernel';
import { contractCases, MirrorClient } from '../src/contract/index.js';
import type { MmuIntervalNotifier } from '@hmm/mmu-notifier';
import { describe, expect, test, vi } from 'vitest';

const breaks = vi.hoisted(() => ({ retry: false, setSeq: false }));
vi.mock('@hmm/mmu-notifier', async (original) => {
  const real = await original<typeof import('@hmm/mmu-notifier')>();
  return {
    ...real,
    mmuIntervalReadRetry: (notifier: MmuIntervalNotifier, seq: number) =>
      !breaks.retry && real.mmuIntervalReadRetry(notifier, seq),
    mmuIntervalSetSeq: (notifier: MmuIntervalNotifier, seq: number) => {
      if (!breaks.setSeq) real.mmuIntervalSetSeq(notifier, seq);
    },
  };
});

const races = contractCases().filter(({ name }) => name.startsWith('a fault that races'));
const mirror = ({ kernel }: { readonly kernel: Kernel }): MirrorClient => new MirrorClient(kernel);
const brokenOnes = (): string[] => races.flatMap(({ check }) => check(mirror) ?? []);

describe('the contract looks into the races of the mirror protocol', () => {
  test('and finds none in a client that keeps to it', () => {
    expect(races).toHaveLength(4);
    expect(brokenOnes()).toEqual([]);
  });

  test('a client that never asks mmuIntervalReadRetry is found', () => {
    breaks.retry = true;
    expect(brokenOnes().length).toBeGreaterThanOrEqual(2);
    breaks.retry = false;
  });

  test('a client that never calls mmuIntervalSetSeq is found', () => {
    breaks.setSeq = true;
    expect(brokenOnes().length).toBeGreaterThanOrEqual(2);
    breaks.setSeq = false;
  });

  test('a client that throws has broken the promise', () => {
    const [race] = races;
    const thrown = race?.check(() => {
      const client = mirror({ kernel: undefined as never });
      return client;
    });
    expect(thrown).toMatch(/^it throws TypeError/);
  });
});
