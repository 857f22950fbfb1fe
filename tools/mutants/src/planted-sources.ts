import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HmmError } from '@hmm/kernel';
import { applyPatch, parsePatch } from 'diff';
import type { Mutant } from './catalogue.js';

/** Lines around a hunk that may differ from what the diff says, as `patch` has it; those that it removes may not. */
const FUZZ = 2;

/**
 * The sources that a bug changes, as they are with it: path from the root → text. A hunk is found by its lines wherever they
 * stand in the file.
 * @param root the repository's.
 * @throws HmmError `PATCH_STALE` where the sources have changed so that the diff does not apply any more.
 */
export function plantedSources(mutant: Mutant, root: string): ReadonlyMap<string, string> {
  const sources = new Map<string, string>();
  for (const file of parsed(mutant)) {
    const path = file.oldFileName?.replace(/^a\//, '') ?? '';
    const planted = applyPatch(read(root, path, mutant), file, { fuzzFactor: FUZZ });
    if (planted === false) throw stale(mutant, path, 'its lines are not found there');
    sources.set(path, planted);
  }
  return sources;
}

function parsed({ id, patch }: Mutant): ReturnType<typeof parsePatch> {
  try {
    return parsePatch(patch);
  } catch (error) {
    throw new HmmError(
      'PATCH_STALE',
      `tools/mutants/patches/${id}.diff is no unified diff: ${String(error)}`,
      { id },
    );
  }
}

function read(root: string, path: string, mutant: Mutant): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    throw stale(mutant, path, 'there is no such file');
  }
}

function stale({ id }: Mutant, path: string, why: string): HmmError {
  return new HmmError(
    'PATCH_STALE',
    `tools/mutants/patches/${id}.diff does not apply to ${path}: ${why}. The sources have changed since; ` +
      'tools/mutants/README.md says how to make the diff anew',
    { id, path },
  );
}
