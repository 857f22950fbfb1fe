import type { ClientFactory } from '@hmm/device';
import type { Release } from '@hmm/kernel';

/** The defects of a real driver that its model has, where a test that fails may fail because of one. */
export interface DriverDefects {
  readonly names: readonly string[];
  /** Settings of the driver with these defects mended. */
  readonly mended: (names: readonly string[]) => ReadonlyMap<string, string>;
  /** Where a defect is described. */
  readonly link: (name: string) => string;
}

/** One driver on one device, as suites run on it. */
export interface SuiteClient {
  /** What results call it: `nvidia/h100`. */
  readonly name: string;
  readonly factory: ClientFactory;
  /** One of the factory's GPUs. */
  readonly gpu: string;
  /** Settings of the driver. */
  readonly settings: ReadonlyMap<string, string>;
  readonly defects?: DriverDefects;
  /** Whether its classes declare their state, so that every interleaving of a small test can be searched. */
  readonly explored?: boolean;
}

/**
 * How a test ended. `refused`: it asks for something that this client does not do, and says so, or that has no meaning here.
 */
export type Verdict =
  | { readonly result: 'passed' }
  | { readonly result: 'refused'; readonly reason: string }
  | {
      readonly result: 'failed';
      readonly reason: string;
      /** The defect of the real driver that it comes from, with where it is described. */
      readonly defect?: { readonly name: string; readonly link: string };
    };

/** One test of a suite, ready to be run on what it was made for. */
export interface SuiteTest {
  /** As its authors call it. */
  readonly name: string;
  run(): Verdict;
}

/** A suite that somebody wrote for a driver, as far as its tests have a meaning here. */
export interface Suite {
  /** For the command line. */
  readonly name: string;
  /** For people: whose it is. */
  readonly title: string;
  /** Where the original is. */
  readonly source: string;
  /** Its tests for `client` under `release`; none where the client is none of those that the suite is for. */
  tests(client: SuiteClient, release: Release): readonly SuiteTest[];
  /** Results in a table of its own; without one, one line a client. */
  table?(results: readonly SuiteResult[]): string;
}

/** A result as `hmm suites --json` lists it. */
export interface SuiteResult {
  readonly suite: string;
  readonly test: string;
  readonly client: string;
  readonly release: Release;
  readonly result: Verdict['result'];
  readonly reason: string | null;
  /** Name of the real driver's defect, and where it is described. */
  readonly defect: string | null;
  readonly link: string | null;
}

/** Which tests are run, and who hears of each result. */
export interface SuiteRun {
  readonly clients: readonly SuiteClient[];
  readonly releases: readonly Release[];
  /** Whether a test is run; all are without it. */
  readonly wanted?: (test: string) => boolean;
  readonly heard?: (result: SuiteResult) => void;
}

/** Runs a suite on each client under each release. */
export function runSuite(suite: Suite, { clients, releases, wanted, heard }: SuiteRun): SuiteResult[] {
  const results: SuiteResult[] = [];
  for (const release of releases) {
    for (const client of clients) {
      for (const test of suite.tests(client, release)) {
        if (wanted?.(test.name) === false) continue;
        const result = resultOf(test.run(), {
          suite: suite.name,
          test: test.name,
          client: client.name,
          release,
        });
        results.push(result);
        heard?.(result);
      }
    }
  }
  return results;
}

function resultOf(
  verdict: Verdict,
  of: Pick<SuiteResult, 'suite' | 'test' | 'client' | 'release'>,
): SuiteResult {
  const reason = verdict.result === 'passed' ? null : verdict.reason;
  const { name = null, link = null } = (verdict.result === 'failed' ? verdict.defect : undefined) ?? {};
  return { ...of, result: verdict.result, reason, defect: name, link };
}
