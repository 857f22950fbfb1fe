import { HmmError } from './error.js';

/** Releases of Linux that can be modelled, oldest first: the columns of every table of behaviours. */
export const RELEASES = ['6.1', '6.12', '6.19', '7.3'] as const;

/** One of {@link RELEASES}. */
export type Release = (typeof RELEASES)[number];

/** The release that a kernel made by hand follows, and recordings are replayed on, unless they are told otherwise. */
export const DEFAULT_RELEASE: Release = '6.12';

/** The newest release that recordings hold exactly: what programs and litmus tests follow unless they are told otherwise. */
export const NEWEST_EXACT_RELEASE: Release = '7.3';

/** Whether `name` is one of {@link RELEASES}. */
export function isRelease(name: string): name is Release {
  const names: readonly string[] = RELEASES;
  return names.includes(name);
}

/** One behaviour that releases differ in: a row of a table. */
export interface Behaviour {
  /** The releases that have it. */
  readonly releases: readonly Release[];
  /** File and function of the kernel that decide it. */
  readonly kernel: string;
  /** What a program sees of it, one sentence. */
  readonly shows: string;
  /** Whether it is a defect of the releases that have it; switched off it is mended. */
  readonly bug: boolean;
}

/** Rows by name. */
export type BehaviourTable = Readonly<Record<string, Behaviour>>;

/** What one machine does: for each row of a table whether it behaves so. */
export type Behaviours<Table extends BehaviourTable> = { readonly [Name in keyof Table]: boolean };

/**
 * A row. `columns` has a sign for each release of {@link RELEASES}, in their order: `+` behaves so, `-` does not.
 * @throws HmmError `BAD_BEHAVIOUR` when it has more or fewer signs, or others.
 */
export function behaviour(columns: string, kernel: string, shows: string, bug = false): Behaviour {
  const signs = columns.split(/ +/);
  if (signs.length !== RELEASES.length || signs.some((sign) => sign !== '+' && sign !== '-'))
    throw new HmmError('BAD_BEHAVIOUR', `"${columns}" is not one sign for each of ${RELEASES.join(', ')}`);
  return { releases: RELEASES.filter((_, i) => signs[i] === '+'), kernel, shows, bug };
}

/** As {@link behaviour}, for what is a defect of the releases that have it. */
export function defect(columns: string, kernel: string, shows: string): Behaviour {
  return behaviour(columns, kernel, shows, true);
}

/**
 * What `release` does, as an object of plain fields, always in the order of the table. `flipped` names rows that are to be
 * the other way round: a defect that is mended, or a behaviour that is to be proven.
 */
export function behavioursOf<Table extends BehaviourTable>(
  table: Table,
  release: Release,
  flipped?: readonly string[],
): Behaviours<Table>;
export function behavioursOf(
  table: BehaviourTable,
  release: Release,
  flipped: readonly string[] = [],
): Behaviours<BehaviourTable> {
  return Object.fromEntries(
    Object.entries(table).map(([name, row]) => [
      name,
      row.releases.includes(release) !== flipped.includes(name),
    ]),
  );
}
