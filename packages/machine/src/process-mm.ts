/** The address space that a client mirrors: `MmStruct` of `@hmm/mm`. */
export type ProcessMm = unknown;
