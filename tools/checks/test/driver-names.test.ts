import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { namedDrivers } from '../src/driver-names.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));

it('sources that serve any driver name none', () => {
  expect(namedDrivers(root)).toEqual([]);
});

it('a name is found in any spelling, in code as in comments', () => {
  const copy = mkdtempSync(join(tmpdir(), 'driver-names-'));
  try {
    mkdirSync(join(copy, 'src/deep'), { recursive: true });
    writeFileSync(join(copy, 'src/a.ts'), "const a = 1;\nif (client === 'nouveau') run();\n");
    writeFileSync(join(copy, 'src/deep/b.tsx'), '// as UVM does\nexport const testDevice = 1;\n');
    expect(namedDrivers(copy, ['src']).map(({ path, line }) => [path, line])).toEqual([
      [join('src', 'a.ts'), 2],
      [join('src', 'deep', 'b.tsx'), 1],
      [join('src', 'deep', 'b.tsx'), 2],
    ]);
  } finally {
    rmSync(copy, { recursive: true });
  }
});
