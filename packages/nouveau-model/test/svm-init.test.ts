import { expect, test } from 'vitest';
import { gpuPreset } from '@hmm/gpu';
import { EBUSY, EINVAL, ENODEV, ENOMEM, ENOSYS, Kernel } from '@hmm/kernel';
import { MemorySystem, mmCreate } from '@hmm/mm';
import { type NouveauOptions } from '@hmm/nouveau-model';
import {
  GpuNvifDevice,
  NouveauChannel,
  NouveauCli,
  NouveauDrm,
  nouveauChannelDel,
  nouveauBehaviours,
  nouveauChannelNew,
  nouveauSvmmBind,
  nouveauSvmmInit,
  svmBindMigrate,
} from '@hmm/nouveau-model/internal';

const ARGS = { unmanagedAddr: 0x10000000, unmanagedSize: 0x10000 };

function open(preset = 'p100', options: NouveauOptions = {}) {
  const kernel = new Kernel();
  const memory = new MemorySystem(kernel, { frames: 16384, systemFrames: 8192, maxTables: 1024 });
  const device = new GpuNvifDevice(kernel, memory, gpuPreset(preset), nouveauBehaviours(kernel, options));
  const drm = new NouveauDrm(memory, device, options);
  const mm = mmCreate(memory);
  const cli = new NouveauCli(drm, mm);
  return {
    kernel,
    memory,
    device,
    drm,
    mm,
    cli,
    init: () => kernel.sched.runSync(nouveauSvmmInit(cli, ARGS)),
  };
}

test('SVM_INIT works once per client: EBUSY after that (nouveau.md 2)', () => {
  const { init, cli } = open();
  expect(init()).toBe(0);
  expect(cli.svmm?.unmanaged).toEqual({ start: 0x10000, limit: 0x10010 });
  expect(init()).toBe(-EBUSY);
});

test('SVM_INIT is ENOSYS where there is no SVM (nouveau.md 1)', () => {
  for (const preset of ['k80', 'm40', 'v100', 't4', 'h100']) expect(open(preset).init()).toBe(-ENOSYS);
});

test('SVM_INIT is ENOMEM when the mirror or its address space cannot be allocated, and can be tried again', () => {
  for (const site of ['nouveau_svmm', 'nvif_vmm']) {
    const { init, kernel, cli } = open();
    kernel.injector = { shouldFail: (at) => at === site };
    expect(init()).toBe(-ENOMEM);
    expect(cli.svmm).toBeUndefined();
    kernel.injector = undefined;
    expect(init()).toBe(0);
  }
});

test('SVM_INIT in a process that is exiting is EINVAL', () => {
  const { init, mm } = open();
  mm.users = 0;
  expect(init()).toBe(-EINVAL);
});

test('SVM_INIT registers a notifier on the mm of the caller (nouveau.md 2)', () => {
  const { init, mm } = open();
  expect(mm.notifierSubscriptions).toBeUndefined();
  init();
  expect(mm.notifierSubscriptions?.notifiers).toHaveLength(1);
});

test('SVM_BIND without a mirror is EINVAL', () => {
  const { cli, kernel } = open();
  expect(kernel.sched.runSync(nouveauSvmmBind(cli, cli.mm, svmBindMigrate(16, 1)))).toBe(-EINVAL);
});

test('channels made after SVM_INIT share the mirror and join it; a deleted one parts (nouveau.md 3)', () => {
  const { init, cli, device, drm, kernel } = open();
  const make = () => kernel.sched.runSync(nouveauChannelNew(cli));
  const before = make();
  init();
  const first = make();
  const second = make();
  if (!(
    before instanceof NouveauChannel &&
    first instanceof NouveauChannel &&
    second instanceof NouveauChannel
  )) {
    throw new Error('no channel');
  }
  expect(drm.svm?.find(before.inst)).toBeUndefined();
  expect(drm.svm?.find(first.inst)).toBe(cli.svmm);
  expect(drm.svm?.find(second.inst)).toBe(cli.svmm);
  expect(device.gpu.instance(first.inst)?.table).toBe(device.gpu.instance(second.inst)?.table);
  kernel.sched.runSync(nouveauChannelDel(first));
  expect(drm.svm?.find(first.inst)).toBeUndefined();
  expect(drm.svm?.find(second.inst)).toBe(cli.svmm);
});

test('without the signed firmware SVM_INIT itself works, but no channel can be made: ENODEV (nouveau.md 10)', () => {
  const { init, cli, kernel, drm } = open('p100', { firmware: () => false });
  expect(init()).toBe(0);
  expect(kernel.sched.runSync(nouveauChannelNew(cli))).toBe(-ENODEV);
  expect(drm.log).toEqual([
    'nouveau 0000:01:00.0: acr: firmware unavailable',
    'nouveau 0000:01:00.0: gr: firmware unavailable',
    'nouveau 0000:01:00.0: DRM: failed to create kernel channel, -22',
  ]);
});
