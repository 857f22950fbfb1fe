import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
  type ExtractorMessage,
  type IConfigFile,
} from '@microsoft/api-extractor';
import { libraries } from './pack.js';

/** A public entry point of a library: `.`, `./readers`. */
export interface EntryPoint {
  /** `@hmm/mm`, as one imports it. */
  readonly name: string;
  /** The library's folder. */
  readonly folder: string;
  /** Its declarations, as built. */
  readonly types: string;
  /** Where its report is kept. */
  readonly report: string;
}

interface Manifest {
  readonly exports?: Record<string, string | { readonly types?: string }>;
}

/** Entry point that siblings use and that no version promises anything about. */
const INTERNAL = './internal';

/** The public entry points of the libraries of the workspace at `root`. */
export function entryPoints(root: string): EntryPoint[] {
  return libraries(root).flatMap(({ name, folder }) => {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
    return Object.entries(manifest.exports ?? {}).flatMap(([path, target]) => {
      if (typeof target === 'string' || target.types === undefined || path === INTERNAL) return [];
      const entry = path === '.' ? 'index' : path.slice(2).replaceAll('/', '-');
      return [
        {
          name: path === '.' ? name : `${name}${path.slice(1)}`,
          folder,
          types: join(folder, target.types),
          report: join(folder, 'api', `${entry}.api.md`),
        },
      ];
    });
  });
}

/**
 * The public face of an entry point as built, as API Extractor writes it: every exported name with its signature.
 * @throws Error where the declarations cannot be read.
 */
export function apiReport(entry: EntryPoint, root: string, work: string): string {
  mkdirSync(work, { recursive: true });
  const reportFileName = entry.report.slice(join(entry.folder, 'api').length + 1, -'.api.md'.length);
  const complaints: string[] = [];
  const config = ExtractorConfig.prepare({
    configObject: extractorConfig(entry, reportFileName, root, work),
    configObjectFullPath: join(entry.folder, 'api-extractor.json'),
    packageJsonFullPath: join(entry.folder, 'package.json'),
  });
  const result = Extractor.invoke(config, {
    localBuild: true,
    messageCallback: (message: ExtractorMessage) => {
      message.handled = true;
      if (message.logLevel === ExtractorLogLevel.Error) complaints.push(message.text);
    },
  });
  if (!result.succeeded || complaints.length > 0) throw new Error(`${entry.name}: ${complaints.join('; ')}`);
  return readFileSync(join(work, `${reportFileName}.api.md`), 'utf8');
}

function extractorConfig(entry: EntryPoint, reportFileName: string, root: string, work: string): IConfigFile {
  return {
    projectFolder: entry.folder,
    mainEntryPointFilePath: entry.types,
    newlineKind: 'lf',
    compiler: { overrideTsconfig: compilerOptions(root) },
    apiReport: { enabled: true, reportFileName, reportFolder: work, reportTempFolder: work },
    docModel: { enabled: false },
    dtsRollup: { enabled: false },
    tsdocMetadata: { enabled: false },
    messages: {
      extractorMessageReporting: {
        default: { logLevel: ExtractorLogLevel.None },
      },
      tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
    },
  };
}

function compilerOptions(root: string): object {
  return {
    compilerOptions: {
      target: 'es2022',
      module: 'esnext',
      moduleResolution: 'bundler',
      strict: true,
      skipLibCheck: true,
      types: [],
      lib: ['es2023', 'webworker'],
    },
    files: [join(root, 'tsconfig.base.json')],
  };
}

const EXPORTED = /^export (?:abstract )?(?:class|const|enum|function|interface|let|type) (\w+)/gm;
const LISTED = /^export \{([^}]*)\}/gm;

/** The names that a report says are exported. */
export function exportedNames(report: string): string[] {
  const declared = [...report.matchAll(EXPORTED)].map(([, name = '']) => name);
  const listed = [...report.matchAll(LISTED)].flatMap(([, names = '']) =>
    names.split(',').map((name) => name.trim().replace(/^.* as /, '')),
  );
  return [...new Set([...declared, ...listed])].filter((name) => name !== '').sort();
}

/** Those of `names` that a README does not name: in backticks, by itself or by a family such as `MAP_*`. */
export function unexplainedNames(names: readonly string[], readme: string): string[] {
  const words = new Set([...readme.matchAll(/\w+/g)].map(([word]) => word));
  const families = [...readme.matchAll(/`(\w+)\*`/g)].map(([, prefix = '']) => prefix);
  return names.filter((name) => !words.has(name) && !families.some((prefix) => name.startsWith(prefix)));
}

/**
 * A sentence for each report that is missing or differs from what is built, and for each name of an entry point that its package's
 * README does not explain. With `write`, the reports are written.
 */
export function apiComplaints(root: string, work: string, write: boolean): string[] {
  return entryPoints(root).flatMap((entry) => {
    const report = apiReport(entry, root, join(work, entry.name));
    const readme = readFileSync(join(entry.folder, 'README.md'), 'utf8');
    const complaints = unexplainedNames(exportedNames(report), readme).map(
      (name) => `${entry.name}: exports ${name}, which its README does not explain`,
    );
    const kept = existsSync(entry.report) ? readFileSync(entry.report, 'utf8') : '';
    if (report === kept) return complaints;
    if (write) {
      mkdirSync(join(entry.folder, 'api'), { recursive: true });
      writeFileSync(entry.report, report);
      return complaints;
    }
    return [
      ...complaints,
      `${entry.name}: its public face differs from ${entry.report.slice(root.length + 1)}`,
    ];
  });
}
