import { readFileSync } from 'node:fs';
import { type CheckResult, CheckStatus, type Checker } from '@stryker-mutator/api/check';
import type { Mutant, StrykerOptions } from '@stryker-mutator/api/core';
import { commonTokens, declareClassPlugin, PluginKind, tokens } from '@stryker-mutator/api/plugin';
import { faultKey } from './place.js';

/** The name under which Stryker finds {@link SampleChecker}, and the field of its options. */
export const SAMPLE = 'sample';

/** A Stryker plugin that lets only the faults of a sample be tested: those whose keys are in a file of JSON. */
class SampleChecker implements Checker {
  private readonly keys: ReadonlySet<string>;
  private readonly root: string;

  constructor(options: StrykerOptions) {
    const { keys, root } = options[SAMPLE] as { keys: string; root: string };
    this.keys = new Set(JSON.parse(readFileSync(keys, 'utf8')) as string[]);
    this.root = root;
  }

  init(): Promise<void> {
    return Promise.resolve();
  }

  check(mutants: Mutant[]): Promise<Record<string, CheckResult>> {
    return Promise.resolve(
      Object.fromEntries(
        mutants.map((mutant) => [
          mutant.id,
          this.keys.has(faultKey(mutant, this.root))
            ? { status: CheckStatus.Passed as const }
            : { status: CheckStatus.CompileError as const, reason: 'not in the sample' },
        ]),
      ),
    );
  }
}

export const strykerPlugins = [
  declareClassPlugin(
    PluginKind.Checker,
    SAMPLE,
    Object.assign(SampleChecker, { inject: tokens(commonTokens.options) }),
  ),
];
