import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import type { Benchmark } from './benchmark.js';

/** A benchmark and where to find it. */
export interface BenchmarkCase {
  /** Folder name below `packages/`. */
  readonly package: string;
  /** Compiled file that exports it. */
  readonly file: string;
  readonly name: string;
  readonly unit: string;
}

/**
 * Compiles `bench/` of every package of the workspace at `root` (types stripped; what they import is the built packages, since
 * sources under a test runner are slower) and lists the benchmarks in it.
 * @throws Error naming a file that exports no `benchmarks`, or two of one name.
 */
export async function discoverBenchmarks(root: string): Promise<BenchmarkCase[]> {
  const cases: BenchmarkCase[] = [];
  for (const name of readdirSync(join(root, 'packages')).sort()) {
    for (const file of compileBenchmarks(join(root, 'packages', name))) {
      for (const benchmark of await loadBenchmarks(file)) {
        cases.push({ package: name, file, name: benchmark.name, unit: benchmark.unit });
      }
    }
  }
  return cases;
}

/** Strips the types of `folder`'s `bench/` into `.bench/`; returns the files that export `benchmarks`. */
function compileBenchmarks(folder: string): string[] {
  const from = join(folder, 'bench');
  const to = join(folder, '.bench');
  rmSync(to, { recursive: true, force: true });
  if (!existsSync(from)) return [];
  const sources = readdirSync(from, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  return sources.sort().flatMap((source) => {
    const text = readFileSync(join(from, source), 'utf8');
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    });
    const target = join(to, source.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
    return /export const benchmarks\b/.test(outputText) ? [target] : [];
  });
}

/** The benchmarks that a compiled file exports. */
export async function loadBenchmarks(file: string): Promise<readonly Benchmark[]> {
  const module: unknown = await import(pathToFileURL(file).href);
  if (!exportsBenchmarks(module)) throw new Error(`${file}: exports no benchmarks of { name, unit, run }`);
  const names = new Set(module.benchmarks.map(({ name }) => name));
  if (names.size < module.benchmarks.length) throw new Error(`${file}: two benchmarks have the same name`);
  return module.benchmarks;
}

function exportsBenchmarks(module: unknown): module is { readonly benchmarks: readonly Benchmark[] } {
  if (typeof module !== 'object' || module === null || !('benchmarks' in module)) return false;
  return Array.isArray(module.benchmarks) && module.benchmarks.every(isBenchmark);
}

function isBenchmark(value: unknown): value is Benchmark {
  if (typeof value !== 'object' || value === null) return false;
  return 'name' in value && 'unit' in value && 'run' in value && typeof value.run === 'function';
}
