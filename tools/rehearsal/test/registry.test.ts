import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Consumer } from '../src/consumer.js';
import { startRegistry } from '../src/registry.js';
import { packMembers, publishedMembers } from '../src/workspace-copy.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

it('two packages, from their tarballs through a registry into an empty folder, do there what the README says', async () => {
  const work = mkdtempSync(join(tmpdir(), 'hmm-short-rehearsal-'));
  const registry = await startRegistry(join(work, 'registry'));
  try {
    const names = ['@hmm/kernel', '@hmm/mmu-notifier'];
    const members = publishedMembers(root).filter(({ name }) => names.includes(name));
    const packed = packMembers(root, members, join(work, 'tarballs'));
    expect(packed.map(({ name }) => name)).toEqual(names);
    for (const one of packed) await registry.publish(one);
    expect(await registry.versions('@hmm/kernel')).toEqual([packed[0]?.version]);
    const [first] = packed;
    if (first !== undefined) await expect(registry.publish(first)).rejects.toThrow('is not published');
    const consumer = new Consumer(join(work, 'alone'), registry.url);
    expect(consumer.install('@hmm/mmu-notifier')).toMatchObject({ status: 0 });
    expect(consumer.installed('@hmm/kernel')).toBe(packed[0]?.version);
    expect(consumer.runReadme('@hmm/mmu-notifier')).toEqual([]);
    expect(consumer.install('@hmm/nothing').status).not.toBe(0);
  } finally {
    registry.stop();
    rmSync(work, { recursive: true, force: true });
  }
}, 300_000);
