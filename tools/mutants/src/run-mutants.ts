import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { HmmError, type Release } from '@hmm/kernel';
import { Tinypool } from 'tinypool';
import { Bundles } from './bundle.js';
import type { Mutant } from './catalogue.js';
import { scenarios } from './scenarios.js';
import type { PlantedResult, PlantedTest } from './planted.js';

/** What became of one mutant; the form of `hmm mutants --json`. */
export interface MutantReport {
  readonly id: string;
  readonly title: string;
  /** The modelled releases that it can be planted in. */
  readonly releases: string;
  readonly expressible: boolean;
  /** Tests that break. */
  readonly caught_by: readonly string[];
  /** What the first of them breaks; null where none does. */
  readonly invariant: string | null;
  /** What its tests took, without building. */
  readonly seconds: number;
  /** Why the model cannot express it; null where it can. */
  readonly reason: string | null;
}

/** What became of all. */
export interface MutantsReport {
  readonly version: 1;
  readonly mutants: readonly MutantReport[];
  /** Expressible and caught; expressible and missed. */
  readonly caught: number;
  readonly missed: number;
}

/** The texts of the litmus tests of a folder by name. @throws the error of the file system */
export function readLibrary(folder: string): ReadonlyMap<string, string> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.litmus'));
  return new Map(files.map((name) => [basename(name, '.litmus'), readFileSync(join(folder, name), 'utf8')]));
}

/** Plants bugs, each in a copy of the sources of its own, and runs the tests on it that must catch it. */
export class MutantRunner {
  private readonly library: ReadonlyMap<string, string>;
  private readonly bundles = new Bundles();
  private readonly pool: Tinypool;

  /** @param library the texts of the litmus tests by name. @param jobs bugs that are tested at once. */
  constructor(library: ReadonlyMap<string, string>, jobs = availableParallelism()) {
    this.library = library;
    this.pool = new Tinypool({ minThreads: 1, maxThreads: jobs });
  }

  /**
   * Plants each of `mutants` in turn.
   * @param told called with each as it is done.
   * @throws HmmError `PATCH_STALE`, `NO_TEST`
   */
  async runAll(mutants: readonly Mutant[], told: (report: MutantReport) => void): Promise<MutantsReport> {
    const stale: string[] = [];
    const all = await Promise.all(
      mutants.map(async (mutant) => {
        try {
          const report = await this.run(mutant);
          told(report);
          return report;
        } catch (error) {
          if (!(error instanceof HmmError)) throw error;
          stale.push(error.message);
          return undefined;
        }
      }),
    );
    if (stale.length > 0) throw new HmmError('PATCH_STALE', stale.join('\n'), {});
    const reports = all.filter((report) => report !== undefined);
    const caught = reports.filter(({ caught_by }) => caught_by.length > 0).length;
    const expressible = reports.filter((report) => report.expressible).length;
    return { version: 1, mutants: reports, caught, missed: expressible - caught };
  }

  /** Plants one. @throws HmmError `PATCH_STALE`, `NO_TEST` */
  async run(mutant: Mutant): Promise<MutantReport> {
    const { id, title, releases, tests, reason = null } = mutant;
    const caughtBy: string[] = [];
    let invariant: string | null = null;
    let seconds = 0;
    for (const name of tests) {
      const result = await this.runTest(name, mutant);
      seconds += result.seconds;
      if (result.broken === undefined) continue;
      caughtBy.push(name);
      invariant ??= result.broken;
    }
    const expressible = reason === null;
    return { id, title, releases, expressible, caught_by: caughtBy, invariant, seconds, reason };
  }

  /** Runs a test, on the sources as they are or with `mutant`, and on the release that is named. @throws HmmError `NO_TEST`, `PATCH_STALE` */
  async runTest(name: string, mutant?: Mutant, release?: Release): Promise<PlantedResult> {
    const text = this.library.get(name);
    if (text === undefined && !scenarios.has(name)) {
      const words = `${mutant?.id ?? 'somebody'} names the test ${name}, which is not there`;
      throw new HmmError('NO_TEST', words, { name });
    }
    const filename = await this.bundles.of(mutant);
    const test: PlantedTest = { name, text, ...(release === undefined ? {} : { release }) };
    try {
      return (await this.pool.run(test, { filename })) as PlantedResult;
    } catch (error) {
      if (mutant === undefined) throw error;
      const words = `with tools/mutants/patches/${mutant.id}.diff the sources do not run: ${String(error)}`;
      throw new HmmError('PATCH_STALE', words, { id: mutant.id });
    }
  }

  /** Ends its workers. */
  async close(): Promise<void> {
    await this.pool.destroy();
  }
}
