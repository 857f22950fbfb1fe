import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One library of the table in `layers.json`. */
export interface LibraryLayer {
  /** Names of the libraries below it that it may import. */
  readonly imports: readonly string[];
  /** Packages of the registry that it may depend on at run time. */
  readonly external?: readonly string[];
  /** Whether it may import Node's own modules. */
  readonly node?: boolean;
}

/** One app of the table: it may import every library that is no driver, and these. */
export interface AppLayer {
  readonly drivers: readonly string[];
  /** Whether it runs in a browser: then without what knows Node. */
  readonly browser?: boolean;
}

/** The table of layers, as `tools/checks/layers.json` has it. */
export interface LayerTable {
  readonly packages: Readonly<Record<string, LibraryLayer>>;
  readonly apps: Readonly<Record<string, AppLayer>>;
  /** What tests and benchmarks alone may import beyond their package's layer: dependency → its users, `*` for all. */
  readonly tests: Readonly<Record<string, readonly string[]>>;
}

/** What a workspace member may depend on, all by short name (`mm` for `@hmm/mm`). */
export interface Allowance {
  /** Path from the root: `packages/mm`. */
  readonly folder: string;
  /** Its tag for `turbo boundaries`. */
  readonly tag: string;
  /** Libraries that its sources may import. */
  readonly imports: readonly string[];
  /** Workspace members that its tests and benchmarks may take in beyond that. */
  readonly development: readonly string[];
  readonly external: readonly string[];
}

/** Reads the table beside `root`'s checks. */
export function readLayerTable(root: string): LayerTable {
  return JSON.parse(readFileSync(join(root, 'tools/checks/layers.json'), 'utf8')) as LayerTable;
}

/** What each library and app of the table may depend on. */
export function allowances(table: LayerTable): Allowance[] {
  const drivers = new Set(Object.values(table.apps).flatMap((app) => app.drivers));
  const librariesFor = (app: AppLayer): string[] =>
    Object.keys(table.packages).filter(
      (name) => !drivers.has(name) && !(app.browser === true && table.packages[name]?.node === true),
    );
  const testsOf = (name: string): string[] =>
    Object.keys(table.tests).filter((dependency) => {
      const users = table.tests[dependency] ?? [];
      return dependency !== name && (users.includes('*') || users.includes(name));
    });
  return [
    ...Object.entries(table.packages).map(([name, layer]) => ({
      folder: `packages/${name}`,
      tag: name,
      imports: layer.imports,
      development: testsOf(name),
      external: layer.external ?? [],
    })),
    ...Object.entries(table.apps).map(([name, app]) => ({
      folder: `apps/${name}`,
      tag: `app-${name}`,
      imports: [...librariesFor(app), ...app.drivers],
      development: testsOf(name),
      external: [],
    })),
  ];
}

/**
 * The `boundaries` of `turbo.json` that say the same as the table: for each tag, the tags it may not depend on. Turbo
 * follows dependencies of dependencies, so what a package imports or tests with brings its own layer along.
 */
export function turboBoundaries(table: LayerTable): {
  tags: Record<string, { dependencies: { deny: string[] } }>;
} {
  const all = allowances(table);
  const tags: Record<string, { dependencies: { deny: string[] } }> = {};
  for (const { tag, imports, development } of all) {
    const open = new Set([tag, ...imports, ...development]);
    for (const reached of open) {
      const behind = all.find((other) => other.tag === reached);
      for (const further of [...(behind?.imports ?? []), ...(behind?.development ?? [])]) open.add(further);
    }
    tags[tag] = { dependencies: { deny: all.map((other) => other.tag).filter((other) => !open.has(other)) } };
  }
  return { tags };
}
