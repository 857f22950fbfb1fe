import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cruiseWorkspace, workspaceMembers, type CruiseFindings } from '../src/cruise.js';
import { readLayerTable, turboBoundaries } from '../src/layers.js';
import { manifestComplaints } from '../src/manifests.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const table = readLayerTable(root);

/** What each planted file imports, and the rule that has to refuse it. */
const plants = [
  { file: 'packages/mm/src/planted-upward.ts', code: "export * from '@hmm/mirror';", rule: 'layer:mm' },
  {
    file: 'packages/mm/src/planted-upward-type.ts',
    code: "export type * from '@hmm/mirror';",
    rule: 'layer:mm',
  },
  {
    file: 'packages/mirror/src/planted-beside.ts',
    code: "export * from '@hmm/migrate';",
    rule: 'layer:mirror',
  },
  { file: 'packages/mm/test/planted.test.ts', code: "import '@hmm/mirror';", rule: 'test-layer:mm' },
  {
    file: 'packages/cli/src/planted-driver.ts',
    code: "export * from '@hmm/nouveau-model';",
    rule: 'layer:cli',
  },
  { file: 'packages/gpu/src/planted-undeclared.ts', code: "export * from '@hmm/mm';", rule: 'resolvable' },
  {
    file: 'packages/mirror/src/planted-deep.ts',
    code: "export * from '@hmm/mm/src/index.js';",
    rule: 'resolvable',
  },
  {
    file: 'packages/mirror/src/planted-inside.ts',
    code: "export * from '../../mm/src/index.js';",
    rule: 'no-inside-of-another',
  },
  {
    file: 'packages/kernel/src/planted-node.ts',
    code: "export { readFileSync } from 'node:fs';",
    rule: 'no-node-below-cli',
  },
  {
    file: 'packages/kernel/src/planted-dev.ts',
    code: "export * from 'fast-check';",
    rule: 'no-development-npm',
  },
  {
    file: 'packages/kernel/src/planted-cycle.ts',
    code: "export * from './planted-cycle-2.js';",
    rule: 'no-circular',
  },
  {
    file: 'packages/kernel/src/planted-cycle-2.ts',
    code: "export * from './planted-cycle.js';",
    rule: 'no-circular',
  },
];

/** A copy of the workspace without what is installed, into which violations are planted. */
let copy = '';
let found: CruiseFindings;

function copyWorkspace(): string {
  const to = mkdtempSync(join(tmpdir(), 'hmm-layers-'));
  const parts = ['package.json', 'turbo.json', 'tsconfig.json', 'src', 'test', 'bench', 'node_modules'];
  const files = workspaceMembers(root).flatMap((folder) => parts.map((part) => `${folder}/${part}`));
  files.push('package.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml', 'turbo.json', 'tsconfig.base.json');
  files.push('.dependency-cruiser.cjs', 'tools/checks/layers.json');
  for (const file of files.filter((path) => existsSync(join(root, path)))) {
    cpSync(join(root, file), join(to, file), { recursive: true, verbatimSymlinks: true });
  }
  symlinkSync(join(root, 'node_modules'), join(to, 'node_modules'));
  return to;
}

function edit(file: string, change: (content: Record<string, unknown>) => unknown): void {
  const content = JSON.parse(readFileSync(join(copy, file), 'utf8')) as Record<string, unknown>;
  writeFileSync(join(copy, file), JSON.stringify(change(content)));
}

/** Makes `@hmm/name` importable in `folder`, as an installation of that dependency would. */
function link(folder: string, name: string): void {
  const at = join(copy, folder, 'node_modules', '@hmm', name);
  mkdirSync(dirname(at), { recursive: true });
  if (!existsSync(at)) symlinkSync(join(copy, 'packages', name), at);
}

function boundaries(): { status: number | null; text: string } {
  const turbo = spawnSync(join(root, 'node_modules/.bin/turbo'), ['boundaries'], {
    cwd: copy,
    encoding: 'utf8',
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' },
  });
  return { status: turbo.status, text: turbo.stdout + turbo.stderr };
}

beforeAll(async () => {
  copy = copyWorkspace();
  link('packages/mm', 'mirror');
  link('packages/mirror', 'migrate');
  link('packages/cli', 'nouveau-model');
  for (const { file, code } of plants) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    writeFileSync(join(copy, file), `${code}\n`);
  }
  found = await cruiseWorkspace(copy);
});

afterAll(() => {
  rmSync(copy, { recursive: true, force: true });
});

describe('imports', () => {
  it.each(plants)('$file is refused by $rule', ({ file, rule }) => {
    // A cycle is reported once, from either end.
    const violations = found.violations.filter(({ from, to }) => from === file || to === file);
    expect(violations.map((violation) => violation.rule)).toContain(rule);
  });

  it('are looked at in every source file', () => {
    expect(found.missed).toEqual([]);
    expect(found.modules).toBeGreaterThan(plants.length);
  });
});

describe('manifests', () => {
  it('of the workspace follow the table', () => {
    expect(manifestComplaints(root, table)).toEqual([]);
  });

  it('that depend upward, on an unknown package, on a floating version, or bear another tag are refused', () => {
    edit('packages/mm/package.json', (manifest) => ({
      ...manifest,
      dependencies: { '@hmm/kernel': '^0.1.0', '@hmm/mirror': 'workspace:^', lodash: 'catalog:' },
      devDependencies: { '@hmm/machine': 'workspace:^' },
    }));
    edit('packages/gpu/turbo.json', (turbo) => ({ ...turbo, tags: ['mm'] }));
    expect(
      manifestComplaints(copy, table).filter((complaint) => /mm.package|gpu.turbo/.test(complaint)),
    ).toEqual([
      'packages/mm/package.json: its layer may not depend on @hmm/mirror',
      'packages/mm/package.json: its layer may not depend on lodash',
      'packages/mm/package.json: not even its tests may depend on @hmm/machine',
      'packages/mm/package.json: @hmm/kernel has to be "workspace:^"',
      'packages/gpu/turbo.json: its tag has to be gpu',
    ]);
  });

  it('and turbo.json say the same as the table', () => {
    edit('turbo.json', (turbo) => ({ ...turbo, boundaries: { tags: {} } }));
    expect(manifestComplaints(copy, table)).toContainEqual(expect.stringContaining('boundaries differ'));
  });
});

describe('turbo boundaries', () => {
  it('refuse a dependency upward that a manifest declares', () => {
    for (const { file } of plants) rmSync(join(copy, file));
    for (const file of ['turbo.json', 'packages/gpu/turbo.json', 'packages/mm/package.json']) {
      cpSync(join(root, file), join(copy, file));
    }
    expect(boundaries().status).toBe(0);
    edit('packages/kernel/package.json', (manifest) => ({
      ...manifest,
      dependencies: { '@hmm/gpu': 'workspace:^' },
    }));
    edit('packages/gpu/package.json', (manifest) => ({ ...manifest, dependencies: {} }));
    const { status, text } = boundaries();
    expect(status).not.toBe(0);
    expect(text).toContain('@hmm/gpu');
  });

  it('deny every tag that the table does not allow', () => {
    const { deny } = turboBoundaries(table).tags['mirror']?.dependencies ?? { deny: [] };
    expect(deny).toContain('migrate');
    expect(deny).not.toContain('mm');
  });
});
