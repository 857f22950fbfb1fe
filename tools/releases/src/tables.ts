import { type Behaviour } from '@hmm/kernel';
import { CORE_BEHAVIOURS } from '@hmm/kernel/internal';
import { TEST_DEVICE_BEHAVIOURS } from '@hmm/test-device/internal';

/** A table of behaviours and whose it is. */
export interface NamedTable {
  readonly title: string;
  readonly rows: Readonly<Record<string, Behaviour>>;
}

/** The tables whose rows are proven here. nouveau's is proven by its own recordings. */
export const TABLES: readonly NamedTable[] = [
  { title: 'The core', rows: CORE_BEHAVIOURS },
  { title: 'The test device', rows: TEST_DEVICE_BEHAVIOURS },
];

/** All rows by name. */
export function allRows(): ReadonlyMap<string, Behaviour> {
  return new Map(TABLES.flatMap(({ rows }) => Object.entries(rows)));
}
