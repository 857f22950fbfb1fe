import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

const HREF = /\s(?:href|src)="([^"]+)"/g;
const ID = /\sid="([^"]+)"/g;

/** A sentence for each link of a built page that leads to no file, or to no place in a page. */
export function linkComplaints(out: string, base: string): string[] {
  const pages = readdirSync(out, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.html') && !file.startsWith('explorer/'),
  );
  const ids = new Map(pages.map((page) => [page, idsOf(readFileSync(join(out, page), 'utf8'))]));
  return pages.flatMap((page) => {
    const html = readFileSync(join(out, page), 'utf8');
    const links = new Set([...html.matchAll(HREF)].map(([, link = '']) => link));
    return [...links].flatMap((link) => {
      const wrong = complaintOf(link.replaceAll('&amp;', '&'), page, { out, base, ids });
      return wrong === undefined ? [] : [`${page}: ${link.slice(0, 100)}: ${wrong}`];
    });
  });
}

interface Site {
  readonly out: string;
  readonly base: string;
  readonly ids: ReadonlyMap<string, ReadonlySet<string>>;
}

function complaintOf(link: string, page: string, { out, base, ids }: Site): string | undefined {
  if (/^(?:https?:|mailto:|data:)/.test(link)) return undefined;
  const [path = '', hash = ''] = link.split('#');
  const file = fileOf(path, page, base);
  if (file === undefined) return `is not below ${base}`;
  const found = [file, `${file}.html`, posix.join(file, 'index.html')].find(
    (name) => existsSync(join(out, name)) && statSync(join(out, name)).isFile(),
  );
  if (found === undefined) return 'there is no such file';
  // The explorer reads what stands behind the sign.
  if (hash === '' || found === 'try.html' || found.startsWith('explorer/')) return undefined;
  const anchors = ids.get(found);
  return anchors === undefined || anchors.has(decodeURIComponent(hash))
    ? undefined
    : 'there is no such place';
}

function fileOf(path: string, page: string, base: string): string | undefined {
  if (path === '') return page;
  if (!path.startsWith('/'))
    return posix.normalize(posix.join(posix.dirname(page), decodeURIComponent(path)));
  if (!path.startsWith(base)) return undefined;
  const inside = decodeURIComponent(path.slice(base.length));
  return inside === '' ? 'index.html' : inside;
}

function idsOf(html: string): ReadonlySet<string> {
  return new Set([...html.matchAll(ID)].map(([, id = '']) => id));
}
