// The layers by machine. The table is tools/checks/layers.json (the one of ARCHITECTURE.md); the rules below say what
// it means. `pnpm layers` runs this over the sources and also sees that every source file was looked at.
const table = require('./tools/checks/layers.json');

const drivers = new Set(Object.values(table.apps).flatMap((app) => app.drivers));
const knowsNode = (name) => table.packages[name].node === true;
const librariesFor = (app) =>
  Object.keys(table.packages).filter((name) => !drivers.has(name) && !(app.browser && knowsNode(name)));

/** What each workspace folder may import: `packages/mm` → ['kernel', …]. */
const allowed = new Map([
  ...Object.entries(table.packages).map(([name, { imports }]) => [`packages/${name}`, imports]),
  ...Object.entries(table.apps).map(([name, app]) => [
    `apps/${name}`,
    [...librariesFor(app), ...app.drivers],
  ]),
]);

/** A pattern for one of `names`; of none, one that matches nothing. */
const either = (names) => (names.length > 0 ? `(?:${names.join('|')})` : '(?!)');

const layers = [...allowed].map(([folder, imports]) => ({
  name: `layer:${folder.split('/')[1]}`,
  comment: `${folder} may import only: ${imports.join(', ') || 'nothing'}.`,
  severity: 'error',
  from: { path: `^${folder}/src/` },
  to: {
    path: '^(?:packages|apps|tools)/',
    pathNot: [`^${folder}/`, `^packages/${either(imports)}/`],
  },
}));

const testLayers = [...allowed].map(([folder, imports]) => {
  const name = folder.split('/')[1];
  const more = Object.entries(table.tests).flatMap(([dependency, users]) =>
    users.includes('*') || users.includes(name) ? [dependency] : [],
  );
  const open = [...imports, ...more];
  return {
    name: `test-layer:${name}`,
    comment: `The tests and benchmarks of ${folder} may import only: ${open.join(', ')}.`,
    severity: 'error',
    from: { path: `^${folder}/(?:test|bench)/` },
    to: {
      path: '^(?:packages|apps|tools)/',
      pathNot: [`^${folder}/`, `^(?:packages|tools)/${either(open)}/`],
    },
  };
});

const browserSafe = [
  ...Object.keys(table.packages).flatMap((name) => (knowsNode(name) ? [] : [`packages/${name}`])),
  ...Object.keys(table.apps).flatMap((name) => (table.apps[name].browser ? [`apps/${name}`] : [])),
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layers,
    ...testLayers,
    {
      name: 'no-inside-of-another',
      comment: 'Another package is imported by its name: what it exports is its surface.',
      severity: 'error',
      from: { path: '^((?:packages|apps|tools)/[^/]+)/' },
      // The scenarios of planted bugs run the driver of huge pages that the tests of migrate have.
      to: {
        path: '^(?:packages|apps|tools)/',
        pathNot: ['^$1/', '^packages/migrate/test/support'],
        dependencyTypes: ['local'],
      },
    },
    {
      name: 'no-node-below-cli',
      comment: 'The model runs in a browser worker: only cli, the apps and the tools know Node.',
      severity: 'error',
      from: { path: `^${either(browserSafe)}/src/` },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-circular',
      comment: 'A cycle of modules depends on load order. Records that name each other as types only do not.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment:
        'An import that leads nowhere from here: undeclared in package.json, or misspelt. Workers are for the bundler.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '[?]worker$' },
    },
    {
      name: 'no-undeclared-npm',
      comment: 'What the sources import has to be declared, not something that happens to be installed.',
      severity: 'error',
      from: { path: '^(?:packages|apps)/[^/]+/src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'no-development-npm',
      comment: 'A published package cannot count on what only its developers install. An app is bundled.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: { path: ['/\\.vitest/'] },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@hmm/source', 'import', 'types', 'default'],
      extensions: ['.ts', '.tsx', '.js', '.mjs', '.cjs', '.d.ts', '.json'],
    },
  },
};
