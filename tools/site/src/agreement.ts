import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GoldenFile, goldenPath } from '@hmm/golden';
import { repositoryText, ROOT } from './repository.js';

/** How a recording is held against the model, and what is counted. */
interface Corpus {
  readonly file: GoldenFile;
  /** Of what system. */
  readonly system: string;
  /** Arguments of the command `hmm`, behind which the file's path stands. */
  readonly command: readonly string[];
  readonly counts: keyof typeof COUNTERS;
}

/** What came of one recording. */
export interface Agreement {
  readonly file: string;
  readonly system: string;
  /** As it was typed, from the root of the repository. */
  readonly command: string;
  /** What is counted: operations, scenarios, outcomes. */
  readonly unit: string;
  readonly judged: number;
  readonly agreed: number;
  /** What else the run said, one sentence. */
  readonly note: string;
  /** Of the recording, so that an old figure is not taken for one of a new recording. */
  readonly sha256: string;
}

/** A run over all recordings, as `tools/site/data/agreement.json` has it. */
export interface AgreementRun {
  readonly version: 1;
  /** When, UTC. */
  readonly date: string;
  readonly node: string;
  /** The commit that was run, short. */
  readonly commit: string;
  readonly recordings: readonly Agreement[];
}

const TEST_DEVICE = 'the kernel’s HMM test device';
const UVM = 'NVIDIA UVM 580.159.04 on an H100';

/** Every recording that a command holds against the model. */
export const CORPORA: readonly Corpus[] = [
  conform('linux-6.12/public.jsonl.gz', `${TEST_DEVICE}, Linux 6.12`, '6.12'),
  conform('linux-7.3/public.jsonl.gz', `${TEST_DEVICE}, Linux 7.3`, '7.3'),
  conform('linux-7.3/more-1.jsonl.gz', `${TEST_DEVICE}, Linux 7.3`, '7.3'),
  races('linux-6.12/races.jsonl', `${TEST_DEVICE}, Linux 6.12, concurrent`, '6.12'),
  races('linux-7.3/races.jsonl', `${TEST_DEVICE}, Linux 7.3, concurrent`, '7.3'),
  conform('nouveau-6.12/public.jsonl.gz', 'nouveau of Linux 6.12 on a fake GPU', '6.12', 'nouveau'),
  conform('nouveau-6.12/nvkm.jsonl.gz', 'nouveau’s page tables of Linux 6.12', '6.12', 'nouveau'),
  conform('nouveau-7.3/public.jsonl.gz', 'nouveau of Linux 7.3 on a fake GPU', '7.3', 'nouveau'),
  conform('odp-7.3/public.jsonl.gz', 'soft-RoCE with on-demand paging, Linux 7.3', '7.3', 'rxe'),
  capture('h100-uvm/uvm-public.jsonl.gz', UVM),
  capture('h100-uvm/uvm-public2.jsonl.gz', UVM),
  capture('h200-parts/parts.jsonl.gz', 'NVIDIA UVM 580.159.04 on an H200'),
  capture('h200-parts/fork-gup.jsonl.gz', 'NVIDIA UVM 580.159.04 on an H200'),
  capture('h200-parts/copies.jsonl.gz', 'NVIDIA UVM 580.159.04 on an H200'),
  capture('h200x2-uvm/peers.jsonl.gz', 'NVIDIA UVM on two H200, peers'),
  capture('h200x2-uvm/nopeers.jsonl.gz', 'NVIDIA UVM on two H200, no peers'),
];

function conform(file: GoldenFile, system: string, release: string, client?: string): Corpus {
  const whose = client === undefined ? [] : ['--client', client];
  return { file, system, command: ['conform', ...whose, '--release', release], counts: 'operations' };
}

function races(file: GoldenFile, system: string, release: string): Corpus {
  return { file, system, command: ['litmus', '--release', release, '--observed'], counts: 'outcomes' };
}

function capture(file: GoldenFile, system: string): Corpus {
  return { file, system, command: ['validate'], counts: 'scenarios' };
}

type Counted = Pick<Agreement, 'judged' | 'agreed' | 'note'>;

/** Reads the figures off the JSON of each command. */
const COUNTERS = {
  operations: (said: Json): Counted => ({
    judged: number(said, 'ops'),
    agreed: number(said, 'matched'),
    note: `${number(said, 'scripts')} scripts`,
  }),
  scenarios(said: Json): Counted {
    const all = list(said, 'per_scenario');
    const spread = all.filter((one) => one['deterministic'] !== true);
    const within = spread.filter(({ totals }) => isRecord(totals) && totals['within'] === true).length;
    const totals =
      spread.length === 0
        ? 'every one is deterministic'
        : `of ${spread.length} more, whose recorded runs differ among themselves, ${within} have all totals within their spread or 10 %`;
    return { judged: number(said, 'deterministic'), agreed: number(said, 'exact'), note: totals };
  },
  outcomes(said: Json): Counted {
    const tests = list(said, 'tests');
    const sum = (key: string): number => tests.reduce((total, test) => total + number(test, key), 0);
    return {
      judged: sum('observed'),
      agreed: sum('covered'),
      note: `${tests.length} tests, ${tests.filter((test) => test['exhaustive'] === true).length} of them explored to their end; ${sum('never_seen')} more outcomes are allowed and were not seen`,
    };
  },
};

/** Holds every recording against the model as built. @throws Error where a command says nothing that can be read. */
export function runAgreement(say: (line: string) => void): AgreementRun {
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' });
  return {
    version: 1,
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    commit: commit.stdout.trim(),
    recordings: CORPORA.map((corpus) => {
      const found = agreementOf(corpus);
      say(`${found.agreed} of ${found.judged} ${found.unit}: ${found.command}`);
      return found;
    }),
  };
}

function agreementOf({ file, system, command, counts }: Corpus): Agreement {
  const path = `tools/golden/${file}`;
  const args = [...command, path];
  const { stdout, stderr } = spawnSync(process.execPath, ['apps/compare/dist/cli.js', ...args, '--json'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const said: unknown = stdout === '' ? undefined : JSON.parse(stdout);
  if (!isRecord(said)) throw new Error(`hmm ${args.join(' ')}: ${stderr}`);
  return {
    file,
    system,
    command: `hmm ${args.join(' ')}`,
    unit: counts,
    ...COUNTERS[counts](said),
    sha256: checksum(file),
  };
}

/** SHA-256 of a recording. */
export function checksum(file: GoldenFile): string {
  return createHash('sha256')
    .update(readFileSync(goldenPath(file)))
    .digest('hex');
}

/** Path of what the last run wrote. */
export const AGREEMENT_FILE = 'tools/site/data/agreement.json';

/** The last run. @throws Error when the file is not one of a run. */
export function lastAgreement(): AgreementRun {
  const run: unknown = JSON.parse(repositoryText(AGREEMENT_FILE));
  if (!isAgreementRun(run)) throw new Error(`${join(ROOT, AGREEMENT_FILE)} was not written by a run`);
  return run;
}

function isAgreementRun(value: unknown): value is AgreementRun {
  return isRecord(value) && value['version'] === 1 && Array.isArray(value['recordings']);
}

type Json = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function number(from: Json, key: string): number {
  const value = from[key];
  if (typeof value !== 'number') throw new Error(`there is no number ${key}`);
  return value;
}

function list(from: Json, key: string): readonly Json[] {
  const value = from[key];
  if (!Array.isArray(value)) throw new Error(`there is no list ${key}`);
  return value.filter(isRecord);
}
