import { isRelease, NEWEST_EXACT_RELEASE, type Release, RELEASES } from '@hmm/kernel';
import { type Command, InvalidArgumentError } from 'commander';

/** The options that mean the same in every command that runs something. */
export interface RunOptions {
  readonly json: boolean;
  readonly seed: number;
  /** `--set key=value`, the last of a key wins. */
  readonly set: ReadonlyMap<string, string>;
  readonly gpu: string | undefined;
  readonly client: string | undefined;
  /** File of `--costs`. */
  readonly costs?: string | undefined;
}

/** Adds `--json`. */
export function jsonOption(command: Command): Command {
  return command.option('--json', 'print one JSON document instead of text', false);
}

/** A client and the release that it is to run on: `NAME@6.12`. */
export function releasedClient(text: string): {
  readonly name: string;
  readonly release: string | undefined;
} {
  const at = text.indexOf('@');
  return at < 0
    ? { name: text, release: undefined }
    : { name: text.slice(0, at), release: text.slice(at + 1) };
}

/** Adds `--costs`. */
export function costsOption(command: Command): Command {
  return command.option('--costs <file>', 'costs of the driver on your machine, as calibrate writes them');
}

/** Adds `--release`. */
export function releaseOption(command: Command): Command {
  return command.option(
    '--release <release>',
    `Linux that is modelled: ${RELEASES.join(', ')} (programs: ${NEWEST_EXACT_RELEASE})`,
    releaseName,
  );
}

/** The name of a release. */
export function releaseName(text: string): Release {
  if (!isRelease(text)) throw new InvalidArgumentError(`it is ${RELEASES.join(', ')}.`);
  return text;
}

/** Adds the options that {@link runOptions} reads. */
export function sharedOptions(command: Command): Command {
  return costsOption(releaseOption(jsonOption(command)))
    .option('--seed <n>', 'seed for all random choices', wholeNumber, 1)
    .option(
      '--set <key=value>',
      'a parameter of the program or a setting of the driver',
      addSetting,
      new Map(),
    )
    .option('--gpu <preset>', 'GPU to run on')
    .option('--client <name>', 'driver to run under', listed);
}

/** What commander read for {@link sharedOptions}. */
export function runOptions(command: Command): RunOptions {
  const read = command.opts<{
    json: boolean;
    seed: number;
    set: Map<string, string>;
    gpu?: string;
    client?: string;
    costs?: string;
    release?: Release;
  }>();
  // One client may name its release; of several each has its own.
  const one =
    read.client === undefined || read.client.includes(',') ? undefined : releasedClient(read.client);
  const release = one?.release ?? read.release;
  const set = release === undefined ? read.set : new Map([...read.set, ['release', release]]);
  return {
    json: read.json,
    seed: read.seed,
    set,
    gpu: read.gpu,
    client: one?.name ?? read.client,
    costs: read.costs,
  };
}

/** A whole number from 0 on. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('a whole number is needed.');
  return Number(text);
}

/** A whole number from 1 on. */
export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError('a number from 1 on is needed.');
  return value;
}

/** Collects `key=value`. */
export function addSetting(text: string, before: Map<string, string>): Map<string, string> {
  const [, key, value] = /^([\w.-]+)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined) throw new InvalidArgumentError('key=value is needed.');
  return new Map([...before, [key, value]]);
}

/** An option that is given more than once has all its values, separated by a comma. */
function listed(value: string, before: string | undefined): string {
  return before === undefined ? value : `${before},${value}`;
}
