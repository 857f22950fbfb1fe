import { allDrivers } from '@hmm/drivers';
import { Kernel } from '@hmm/kernel';
import { MemorySystem } from '@hmm/mm';
import { expect, test } from 'vitest';

test.each(allDrivers().map((factory) => [factory.name, factory] as const))(
  '%s makes a client of its own name on its first device, and says how its steps are told',
  (name, factory) => {
    const kernel = new Kernel();
    const memory = new MemorySystem(kernel, { frames: 65536, systemFrames: 32768, maxTables: 1024 });
    const made = factory.create({ kernel, memory, seed: 1 }, factory.gpus[0] ?? '', new Map());
    expect(made.ok && made.client.name).toBe(name);
    const { resolving, ...steps } = factory.steps;
    const said = [
      factory.title,
      ...Object.values({ ...factory.rules }),
      ...Object.values(steps),
      ...resolving,
    ];
    expect(said.every((text) => text !== '')).toBe(true);
  },
);

test('no two drivers have one name', () => {
  const names = allDrivers().map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
