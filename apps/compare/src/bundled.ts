import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type CommandBuilder, EXIT_OK, subcommand } from '@hmm/cli';
import { formatTable } from '@hmm/report';

/** Folders of examples: packed with the command, and, in a clone, the library of litmus tests. */
const FOLDERS = ['../examples/', '../programs/', '../reports/', '../../../packages/explore/litmus/'].map(
  (folder) => fileURLToPath(new URL(folder, import.meta.url)),
);

/** An example that comes with the command. */
interface BundledExample {
  /** What it is called on the command line. */
  readonly name: string;
  readonly path: string;
}

/** All examples, the first one first. */
function bundledExamples(): readonly BundledExample[] {
  return FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => ['.hmm', '.litmus'].includes(extname(file)))
      .sort()
      .map((file) => ({ name: basename(file, extname(file)), path: join(folder, file) })),
  );
}

/**
 * The file of the example that `name` means, with or without its extension and its number (`ping-pong`, `pingpong.hmm`); undefined
 * where none is called so.
 */
export function bundledExample(name: string): string | undefined {
  if (!/^[\w-]+(\.hmm|\.litmus)?$/.test(name)) return undefined;
  const plain = (text: string): string => text.replace(/^\d+-/, '').replaceAll('-', '');
  const wanted = basename(name, extname(name));
  const all = bundledExamples().filter(({ path }) => extname(name) === '' || path.endsWith(extname(name)));
  const found =
    all.find((example) => example.name === wanted) ?? all.find((e) => plain(e.name) === plain(wanted));
  return found?.path;
}

/** `examples`: what comes with the command. */
export const examplesCommand: CommandBuilder = (parent, host, done) => {
  const cmd = subcommand(parent, host, 'examples', ['examples', 'run first-example']).description(
    'list the programs and litmus tests that every command finds by name',
  );
  cmd.action(() => {
    const rows = bundledExamples().map(({ name, path }) => [
      `${name}${extname(path)}`,
      /^(?:program|litmus)\s+[\w-]+\s+"([^"]*)"/.exec(readFileSync(path, 'utf8'))?.[1] ?? '',
    ]);
    host.output.data(`${formatTable([{ title: 'example' }, { title: 'what it shows' }], rows)}\n`);
    done(EXIT_OK);
  });
};
