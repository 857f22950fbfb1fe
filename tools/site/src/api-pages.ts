import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { Application, type TypeDocOptions } from 'typedoc';
import { type Page, placesOf } from './page.js';
import { membersOf, REPOSITORY_URL, repositoryText, ROOT } from './repository.js';

/** Where the kernel's files can be read, by the tag that names them. */
const SOURCES: Readonly<Record<string, string>> = {
  kernel: 'https://github.com/torvalds/linux/blob/master/',
  nouveau: 'https://github.com/torvalds/linux/blob/master/',
  uvm: 'https://github.com/NVIDIA/open-gpu-kernel-modules/blob/580/',
};

/**
 * The reference of every entry point of every library, a page each, by TypeDoc. The tags `@kernel`, `@nouveau` and `@uvm` are links to
 * the file that they name.
 * @throws Error where TypeDoc cannot read the sources.
 */
export async function apiPages(): Promise<Page[]> {
  const work = mkdtempSync(join(tmpdir(), 'hmm-api-'));
  try {
    const entries = entrySources();
    const app = await Application.bootstrapWithPlugins(
      options(
        entries.map(({ source }) => source),
        work,
      ),
    );
    const project = await app.convert();
    if (project === undefined) throw new Error('TypeDoc cannot read the sources of the libraries');
    for (const module of project.children ?? []) {
      const file = module.sources?.[0]?.fullFileName;
      const entry = entries.find(({ source }) => source === file);
      if (entry !== undefined) module.name = entry.name;
    }
    await app.generateOutputs(project);
    const pages = readdirSync(work, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.md'))
      .map((file) => ({
        path: `reference/api/${file}`,
        text: withSourceLinks(readFileSync(join(work, file), 'utf8')),
      }));
    return withPlaces(pages);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What TypeDoc and its plug-in for Markdown are to do; the pages go to the folder `work`. */
function options(entryFiles: readonly string[], work: string): TypeDocOptions & Record<string, unknown> {
  return {
    entryPoints: [...entryFiles],
    entryPointStrategy: 'resolve',
    tsconfig: join(ROOT, 'tools/site/tsconfig.api.json'),
    skipErrorChecking: true,
    plugin: ['typedoc-plugin-markdown'],
    name: 'Reference',
    readme: 'none',
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    disableGit: true,
    sourceLinkTemplate: `${REPOSITORY_URL}/blob/main/packages/{path}#L{line}`,
    basePath: ROOT,
    logLevel: 'Error',
    validation: false,
    blockTags: [
      '@kernel',
      '@nouveau',
      '@uvm',
      '@param',
      '@returns',
      '@throws',
      '@example',
      '@typeParam',
      '@see',
      '@defaultValue',
      '@deprecated',
      '@remarks',
    ],
    out: work,
    outputs: [{ name: 'markdown', path: work }],
    // Of the plug-in for Markdown.
    router: 'module',
    entryFileName: 'index',
    hideBreadcrumbs: true,
    hidePageHeader: true,
    useCodeBlocks: true,
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    classPropertiesFormat: 'table',
    typeDeclarationFormat: 'table',
    enumMembersFormat: 'table',
  };
}

/** An entry point of a library by the name that one imports, and its source. */
interface EntrySource {
  readonly name: string;
  readonly source: string;
}

/** The public entry points of all libraries: what is `./internal` is not for readers. */
export function entrySources(): EntrySource[] {
  return membersOf('packages').flatMap((folder) => {
    const manifest: unknown = JSON.parse(repositoryText(`packages/${folder}/package.json`));
    return Object.entries(recordAt(manifest, 'exports')).flatMap(([path, target]) => {
      const source = recordOf(target)['@hmm/source'];
      if (typeof source !== 'string' || path === './internal') return [];
      return [{ name: `@hmm/${folder}${path.slice(1)}`, source: join(ROOT, 'packages', folder, source) }];
    });
  });
}

function recordAt(value: unknown, key: string): Readonly<Record<string, unknown>> {
  return recordOf(recordOf(value)[key]);
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** The headings that TypeDoc gives the tags of sources become links: `#### Kernel` and the file behind it. */
function withSourceLinks(text: string): string {
  return text.replace(
    /^(#+) (Kernel|Nouveau|Uvm)\n\n([\w./-]+\.[ch])(.*)$/gm,
    (_, hashes: string, system: string, file: string, rest: string) =>
      `${hashes} ${system === 'Kernel' ? 'In the kernel' : system === 'Uvm' ? 'In NVIDIA’s driver' : 'In nouveau'}\n\n[${file}](${SOURCES[system.toLowerCase()] ?? ''}${file})${rest}`,
  );
}

/**
 * The plug-in numbers places by another rule than the headings have it, where a class and a function differ in capitals only: such a link leads to the
 * first of them, and one that leads nowhere to the page.
 */
function withPlaces(pages: readonly Page[]): Page[] {
  const places = new Map(pages.map(({ path, text }) => [path, placesOf(text)]));
  return pages.map(({ path, text }) => ({
    path,
    text: text.replace(/\]\(([^()#\s:]*)#([^()\s]+)\)/g, (whole: string, file: string, place: string) => {
      const target = file === '' ? path : posix.normalize(posix.join(posix.dirname(path), file));
      const there = places.get(target);
      if (there === undefined || there.has(place)) return whole;
      const first = place.replace(/-\d+$/, '');
      if (there.has(first)) return `](${file}#${first})`;
      return `](${file === '' ? posix.basename(path) : file})`;
    }),
  }));
}
