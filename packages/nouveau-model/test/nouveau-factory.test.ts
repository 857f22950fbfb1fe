import { describe, expect, test } from 'vitest';
import { Kernel } from '@hmm/kernel';
import type { ClientFactory } from '@hmm/device';
import { MemorySystem } from '@hmm/mm';
import { nouveauFactory } from '@hmm/nouveau-model';

const host = () => {
  const kernel = new Kernel();
  return {
    kernel,
    memory: new MemorySystem(kernel, { frames: 16384, systemFrames: 8192, maxTables: 256 }),
    seed: 1,
  };
};
const directories = (path: string) =>
  path === '/lib/firmware' ? (file: string) => file.startsWith('nvidia/gp100/') : undefined;
const make = (gpu: string, settings: Record<string, string>) =>
  nouveauFactory(directories).create(host(), gpu, new Map(Object.entries(settings)));
const capability = (gpu: string, settings: Record<string, string> = {}): string => {
  const made = make(gpu, settings);
  if (!made.ok) return `wrong: ${made.message}`;
  const answer = made.client.capability();
  return answer.ok ? 'works' : answer.reason;
};

describe('the factory', () => {
  test('is a ClientFactory of a machine', () => {
    const factory: ClientFactory = nouveauFactory();
    expect(factory.gpus[0]).toBe('p100');
    expect(Object.values({ ...factory.rules }).every((rule) => rule.endsWith('.'))).toBe(true);
  });

  test('Kepler and Maxwell, Volta, Hopper: refused, each for its own reason; Pascal works', () => {
    expect(capability('k80')).toContain('cannot replay a fault');
    expect(capability('m40')).toContain('cannot replay a fault');
    expect(capability('p100')).toBe('works');
    expect(capability('p100-2016')).toBe('works');
    expect(capability('v100')).toContain('cannot recover a channel');
    expect(capability('h100')).toContain('GSP-RM');
    expect(capability('t4')).toContain('cannot recover a channel');
    expect(capability('t4', { gsp: 'on' })).toContain('GSP-RM');
  });

  test('firmware: none, all, or what a directory holds', () => {
    expect(capability('p100', { firmware: 'none' })).toBe(
      'the signed firmware of gp100 is missing (nvidia/gp100/acr/bl.bin and 14 more), so its graphics engine takes no channel',
    );
    expect(capability('p100', { firmware: 'all' })).toBe('works');
    expect(capability('p100', { firmware: '/lib/firmware' })).toBe('works');
    expect(capability('p100', { firmware: '/nowhere' })).toBe(
      'wrong: firmware is all, none, or a directory: there is none called /nowhere',
    );
  });

  test('wrong settings are one line that names what was expected', () => {
    expect(capability('p100', { kernel: '5.4' })).toBe(
      'wrong: kernel is one of 6.1, 6.12, 6.19, 7.3, not 5.4',
    );
    expect(capability('p100', { gsp: 'maybe' })).toBe('wrong: gsp is on or off, not maybe');
    expect(capability('p100', { vram: '1.5' })).toBe(
      'wrong: vram is a size in whole MiB (8MiB, 1GiB), not 1.5',
    );
    expect(capability('p100', { mended: 'slow' })).toContain(
      'wrong: there is no defect slow (defects: comparesLowBits,',
    );
    expect(capability('p100', { speed: '9' })).toBe('wrong: nouveau has no setting called speed');
    expect(capability('gtx9000')).toBe('wrong: no GPU is called gtx9000');
  });

  test('mended defects reach the driver', () => {
    const all = make('p100', { mended: 'all' });
    const one = make('p100', { mended: 'stickyAtomic,mapsRefusedPages', vram: '4' });
    if (!all.ok || !one.ok) throw new Error('not made');
    expect(Object.values(all.client.drm.does)).not.toContain(true);
    expect(one.client.drm.does).toMatchObject({
      stickyAtomic: false,
      mapsRefusedPages: false,
      readOnlyVram: true,
    });
    expect(one.client.capability()).toMatchObject({ features: { memoryPages: 1024 } });
  });
});
