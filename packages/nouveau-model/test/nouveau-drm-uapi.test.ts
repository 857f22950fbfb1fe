import { describe, expect, test } from 'vitest';
import { EINVAL } from '@hmm/kernel';
import {
  NOUVEAU_SVM_BIND_TARGET__GPU_VRAM,
  svmBindCheck,
  svmBindHeader,
  svmBindMigrate,
  type DrmNouveauSvmBind,
} from '@hmm/nouveau-model/internal';

const bind = (change: Partial<DrmNouveauSvmBind>): number =>
  svmBindCheck({ ...svmBindMigrate(0x1000, 8), ...change });

describe('SVM_BIND arguments (nouveau.md 2)', () => {
  test('a migrate to VRAM is accepted', () => {
    expect(bind({})).toBe(0);
  });

  test('the header is command, priority, target in 8, 8 and 32 bits', () => {
    expect(svmBindHeader(0, 0, NOUVEAU_SVM_BIND_TARGET__GPU_VRAM)).toBe(2 ** 47);
    expect(svmBindHeader(1, 2, 3)).toBe(0x30201);
  });

  test('any priority is accepted and ignored', () => {
    for (const priority of [1, 128, 255]) {
      expect(bind({ header: svmBindHeader(0, priority, NOUVEAU_SVM_BIND_TARGET__GPU_VRAM) })).toBe(0);
    }
  });

  test('npages is ignored', () => {
    expect(bind({ npages: 0 })).toBe(0);
    expect(bind({ npages: 2 ** 40 })).toBe(0);
  });

  test.each<[string, Partial<DrmNouveauSvmBind>]>([
    ['a command other than migrate', { header: svmBindHeader(1, 0, NOUVEAU_SVM_BIND_TARGET__GPU_VRAM) }],
    ['system memory as the target', { header: svmBindHeader(0, 0, 0) }],
    ['VRAM and another target bit', { header: svmBindHeader(0, 0, NOUVEAU_SVM_BIND_TARGET__GPU_VRAM + 1) }],
    ['a bit above the target', { header: 2 ** 48 + svmBindHeader(0, 0, NOUVEAU_SVM_BIND_TARGET__GPU_VRAM) }],
    ['a stride', { stride: 1 }],
    ['reserved0', { reserved0: 1 }],
    ['reserved1', { reserved1: 1 }],
    ['an empty range', { vaStart: 4096, vaEnd: 4096 }],
    ['a range without a page', { vaStart: 8191, vaEnd: 4096 }],
    ['an end before the start', { vaStart: 8192, vaEnd: 4096 }],
  ])('%s is EINVAL', (_what, change) => {
    expect(bind(change)).toBe(-EINVAL);
  });
});
