import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import type { PlantedFault } from './place.js';

/** Tells which planted faults the compiler would refuse: those need no test. */
export class TypeCheck {
  private readonly service: ts.LanguageService;
  private readonly versions = new Map<string, { version: number; text: string }>();

  constructor(packageFolder: string) {
    const file = join(packageFolder, 'tsconfig.json');
    const config = ts.getParsedCommandLineOfConfigFile(
      file,
      {},
      { ...ts.sys, onUnRecoverableConfigFileDiagnostic: refuse },
    );
    if (config === undefined) throw new Error(`${file} cannot be read`);
    this.service = ts.createLanguageService({
      getCompilationSettings: () => config.options,
      getScriptFileNames: () => config.fileNames,
      getScriptVersion: (name) => String(this.versions.get(name)?.version ?? 0),
      getScriptSnapshot: (name) => {
        const text = this.versions.get(name)?.text ?? ts.sys.readFile(name);
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      },
      getCurrentDirectory: () => packageFolder,
      getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
      fileExists: (name) => ts.sys.fileExists(name),
      readFile: (name) => ts.sys.readFile(name),
      readDirectory: (...words) => ts.sys.readDirectory(...words),
      directoryExists: (name) => ts.sys.directoryExists(name),
      getDirectories: (name) => ts.sys.getDirectories(name),
      realpath: (name) => ts.sys.realpath?.(name) ?? name,
    });
  }

  /** Whether the file with the fault in it compiles. */
  accepts(fault: PlantedFault): boolean {
    const { fileName } = fault;
    const original = readFileSync(fileName, 'utf8');
    this.set(fileName, planted(original, fault));
    const refused =
      this.service.getSyntacticDiagnostics(fileName).length > 0 ||
      this.service.getSemanticDiagnostics(fileName).length > 0;
    this.set(fileName, original);
    return !refused;
  }

  private set(fileName: string, text: string): void {
    const version = (this.versions.get(fileName)?.version ?? 0) + 1;
    this.versions.set(fileName, { version, text });
  }
}

/** `text` with the fault in it. */
export function planted(text: string, { location, replacement }: PlantedFault): string {
  const lines = text.split('\n');
  const offset = ({ line, column }: { line: number; column: number }): number => {
    let at = column;
    for (let i = 0; i < line; i++) at += (lines[i]?.length ?? 0) + 1;
    return at;
  };
  return text.slice(0, offset(location.start)) + replacement + text.slice(offset(location.end));
}

function refuse(diagnostic: ts.Diagnostic): never {
  throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n'));
}
