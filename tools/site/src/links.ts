import { posix } from 'node:path';
import { inRepository, membersOf, repositoryUrl } from './repository.js';

/** Pages of the repository that stand somewhere else on the site than below `docs`. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'README.md': 'index.md',
  'ARCHITECTURE.md': 'architecture.md',
  'CONTRIBUTING.md': 'contributing.md',
  docs: 'index.md',
  'docs/traces': 'traces/index.md',
  'docs/traces/README.md': 'traces/index.md',
};

/** Which page of the site a file or folder of the repository is, or undefined. */
export function sitePathOf(path: string): string | undefined {
  const clean = path.replace(/\/$/, '');
  const named = ELSEWHERE[clean];
  if (named !== undefined) return named;
  if (clean.startsWith('docs/') && clean.endsWith('.md')) return clean.slice('docs/'.length);
  const member = /^(packages|apps|tools)\/([\w-]+)(?:\/README\.md)?$/.exec(clean);
  if (member !== null && inRepository(`${clean.replace(/\/README\.md$/, '')}/README.md`))
    return `${member[1] ?? ''}/${member[2] ?? ''}.md`;
  const golden = /^tools\/golden\/([\w.-]+)(?:\/README\.md)?$/.exec(clean);
  if (golden !== null && inRepository(`tools/golden/${golden[1] ?? ''}/README.md`))
    return `tools/golden-${golden[1] ?? ''}.md`;
  return undefined;
}

/** Files of the repository that are pages of the site. */
export function pageSources(docs: readonly string[]): string[] {
  const members = (['packages', 'apps', 'tools'] as const).flatMap((folder) =>
    membersOf(folder).map((name) => `${folder}/${name}/README.md`),
  );
  return ['ARCHITECTURE.md', 'CONTRIBUTING.md', ...docs.map((file) => `docs/${file}`), ...members];
}

/** Where a link goes to; its text may be code, and so lie in other parts of the page. */
const LINK = /(\]\()([^)\s]+)(\))/g;

/**
 * A page's text with its links, which are those of the repository, as the site has them: a page to a page, anything else to where the
 * repository can be read. `missing` gets what is not there.
 */
export function siteLinks(text: string, source: string, target: string, missing: string[]): string {
  return outsideCode(text, (prose) =>
    prose.replace(LINK, (whole: string, before: string, to: string, after: string) => {
      if (/^(?:[a-z]+:|#|\/)/.test(to)) return whole;
      const [path = '', anchor = ''] = to.split('#');
      const file = posix.normalize(posix.join(posix.dirname(source), path));
      const hash = anchor === '' ? '' : `#${anchor}`;
      const page = sitePathOf(file);
      if (page === undefined && !inRepository(file)) {
        // A page that is generated has no file of its own.
        if (source.startsWith('docs/') && file.startsWith('docs/')) return whole;
        missing.push(`${source}: ${to}`);
        return whole;
      }
      const link = page === undefined ? repositoryUrl(file) : relative(target, page);
      return `${before}${link}${hash}${after}`;
    }),
  );
}

/** The link from one page to another. */
export function relative(from: string, to: string): string {
  const path = posix.relative(posix.dirname(from), to);
  return path.startsWith('.') ? path : `./${path}`;
}

/** Applies `change` to what is neither a fenced block nor a code span. */
export function outsideCode(text: string, change: (prose: string) => string): string {
  const parts = text.split(/(^ *```[\s\S]*?^ *```[^\n]*$|`+[^`\n]+`+)/m);
  return parts.map((part, i) => (i % 2 === 1 ? part : change(part))).join('');
}
