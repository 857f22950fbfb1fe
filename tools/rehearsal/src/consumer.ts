import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readmeExamples } from '@hmm/checks/packed';
import ts from 'typescript';
import { type Ran, run } from './commands.js';

/** Somebody who installs packages from a registry into an empty folder. */
export class Consumer {
  readonly folder: string;
  private readonly url: string;

  constructor(folder: string, url: string, manifest: object = {}) {
    this.folder = folder;
    this.url = url;
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, 'package.json'),
      JSON.stringify({ private: true, type: 'module', ...manifest }),
    );
    writeFileSync(join(folder, '.npmrc'), `registry=${url}\ncache=${join(folder, '../npm-cache')}\n`);
  }

  /** Installs packages (`@hmm/mm`, `@hmm/mm@1.2.3`); none: what the manifest asks for. */
  install(...names: readonly string[]): Ran {
    return this.npm('install', '--no-audit', '--no-fund', '--prefer-offline', ...names);
  }

  /** Runs npm, or a command of an installed package (`exec`), against the registry and no other. */
  npm(...args: readonly string[]): Ran {
    const inherited = Object.entries(process.env).filter(([key]) => !/^(npm|pnpm)_/i.test(key));
    const env = {
      ...Object.fromEntries(inherited),
      npm_config_update_notifier: 'false',
      npm_config_registry: this.url,
    };
    return run('npm', args, this.folder, env);
  }

  /**
   * Runs the examples of an installed package's README: a sentence for each that fails or prints something else than it says.
   */
  runReadme(name: string): string[] {
    const path = join(this.folder, 'node_modules', name, 'README.md');
    const examples = existsSync(path) ? readmeExamples(readFileSync(path, 'utf8')) : [];
    return examples.flatMap(({ code, prints, line }) => {
      const file = join(this.folder, `example-${line}.mjs`);
      const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext };
      writeFileSync(file, ts.transpileModule(code, { compilerOptions }).outputText);
      const { status, stdout, text } = run(process.execPath, [file], this.folder);
      if (status !== 0) return [`${name} README.md:${line}: fails: ${text}`];
      const printed = JSON.stringify(stdout.split('\n').slice(0, -1));
      const says = JSON.stringify(prints);
      return printed === says ? [] : [`${name} README.md:${line}: says ${says}, prints ${printed}`];
    });
  }

  /** The installed version of a package. */
  installed(name: string): string | undefined {
    const path = join(this.folder, 'node_modules', name, 'package.json');
    if (!existsSync(path)) return undefined;
    return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  }
}

/** The packages of ours that a README's examples import. */
export function importedPackages(readme: string): string[] {
  const names = readmeExamples(readme).flatMap(({ code }) =>
    [...code.matchAll(/from '(@hmm\/[\w-]+)/g)].map(([, name = '']) => name),
  );
  return [...new Set(names)];
}
