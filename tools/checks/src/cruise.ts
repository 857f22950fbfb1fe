import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractDepcruiseConfig from 'dependency-cruiser/config-utl/extract-depcruise-config';

/** An import that a rule of `.dependency-cruiser.cjs` refuses. */
export interface LayerViolation {
  readonly rule: string;
  readonly from: string;
  readonly to: string;
}

/** What a look at all imports of the workspace found. */
export interface CruiseFindings {
  readonly violations: readonly LayerViolation[];
  /** Source files that were not looked at: anything here means that the look proves nothing. */
  readonly missed: readonly string[];
  /** Source files looked at. */
  readonly modules: number;
}

const GROUPS = ['packages', 'apps', 'tools'];
const PARTS = ['src', 'test', 'bench'];

/** Follows every import of the workspace at `root` and applies the rules of its `.dependency-cruiser.cjs`. */
export async function cruiseWorkspace(root: string): Promise<CruiseFindings> {
  const config = await extractDepcruiseConfig(join(root, '.dependency-cruiser.cjs'));
  const { forbidden = [], options = {} } = config;
  const members = workspaceMembers(root);
  const targets = members.flatMap((folder) =>
    PARTS.map((part) => `${folder}/${part}`).filter((path) => existsSync(join(root, path))),
  );
  const result = await cruise(targets, { ...options, baseDir: root, validate: true, ruleSet: { forbidden } });
  const { modules, summary } = result.output as ICruiseResult;
  const seen = new Set(modules.map((module) => module.source));
  return {
    violations: summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to })),
    missed: targets.flatMap((target) => sourcesBelow(root, target)).filter((source) => !seen.has(source)),
    modules: modules.filter((module) => /\.tsx?$/.test(module.source)).length,
  };
}

/** Folders of all workspace members, as paths from the root. */
export function workspaceMembers(root: string): string[] {
  return GROUPS.flatMap((group) =>
    readdirSync(join(root, group))
      .map((name) => `${group}/${name}`)
      .filter((folder) => existsSync(join(root, folder, 'package.json'))),
  );
}

function sourcesBelow(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return sourcesBelow(root, path);
    return /\.tsx?$/.test(entry.name) ? [path] : [];
  });
}
