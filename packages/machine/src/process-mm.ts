import type { MmStruct } from '@hmm/mm';

/** The address space that a client mirrors. */
export type ProcessMm = MmStruct;
