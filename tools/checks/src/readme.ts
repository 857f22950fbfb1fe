/// <reference types="node" />
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** One example of a README: the code of a ```ts fence and what it says it prints. */
export interface ReadmeExample {
  /** Line of the fence in the README, counted from 1. */
  readonly line: number;
  readonly code: string;
  /** The text after each `// → ` of the code, in order: what its `console.log` lines print. */
  readonly prints: readonly string[];
}

/** What an example printed against what it says that it prints. */
export interface ReadmeRun {
  readonly example: ReadmeExample;
  readonly printed: readonly string[];
}

const FENCE = /^```ts *$\n([\s\S]*?)^```$/gm;
const CLAIM = /\/\/ → ?(.*)$/gm;

/**
 * The runnable examples of a README: its fences that open with exactly "```ts" (a fence that is not to be run says
 * "```ts no-run"). An example is a module of its own; each line it prints is stated behind `// → ` in the code.
 */
export function readmeExamples(markdown: string): ReadmeExample[] {
  const examples: ReadmeExample[] = [];
  for (const fence of markdown.matchAll(FENCE)) {
    const code = fence[1] ?? '';
    const prints = [...code.matchAll(CLAIM)].map((claim) => (claim[1] ?? '').trim());
    examples.push({ line: markdown.slice(0, fence.index).split('\n').length, code, prints });
  }
  return examples;
}

/**
 * Runs every example of `README.md` in `packageFolder` (default: the package whose tests run) under vitest, which
 * resolves the workspace's packages to their sources. The caller compares each run's `printed` with its `example.prints`. Throws if there is no example,
 * or one that states nothing: such a README proves nothing.
 */
export async function runReadmeExamples(packageFolder = process.cwd()): Promise<ReadmeRun[]> {
  const examples = readmeExamples(readFileSync(join(packageFolder, 'README.md'), 'utf8'));
  if (examples.length === 0) throw new Error(`${packageFolder}/README.md has no \`\`\`ts example`);
  const folder = join(packageFolder, '.vitest', 'readme');
  mkdirSync(folder, { recursive: true });
  const runs: ReadmeRun[] = [];
  for (const example of examples) {
    if (example.prints.length === 0)
      throw new Error(`README.md:${example.line}: the example states no \`// → \` line`);
    const file = join(folder, `line-${example.line}.ts`);
    writeFileSync(file, example.code);
    runs.push({ example, printed: await printedBy(file) });
  }
  return runs;
}

async function printedBy(file: string): Promise<string[]> {
  const printed: string[] = [];
  const log = console.log;
  console.log = (...values: unknown[]) => {
    printed.push(...values.map(String).join(' ').split('\n'));
  };
  try {
    await import(/* @vite-ignore */ pathToFileURL(file).href);
  } finally {
    console.log = log;
  }
  return printed;
}
