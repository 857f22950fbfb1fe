import { PAGE_POISON } from '@hmm/mm/internal';
import type { Outcome } from '../outcome.js';

/** What a recorded script shows of an operation; fields that it does not have are left out. */
export interface Shown {
  readonly rc?: number;
  /** Statuses of work completions: of who posted, and of who received (-1: nothing came). */
  readonly wc?: number;
  readonly rwc?: number;
  readonly cpages?: number;
  readonly faults?: number;
  readonly v?: readonly (number | string)[];
  readonly sig?: readonly number[];
}

/** How recordings tell what an operation returned. */
export interface Shows {
  /** In a script's line. */
  readonly script: (outcome: Outcome) => Shown;
  /** In a test of races, which tells each result in one word. */
  readonly word: (outcome: Outcome) => string;
}

/** The text of a value that no rule determines: what a freed page happens to hold. */
export const ANY_VALUE = '*';

function valuesText(values: readonly number[]): string {
  return values.map((value) => (value === PAGE_POISON ? ANY_VALUE : value)).join(',');
}

/** 0, or a negative errno. */
export const SHOWS_ERRNO: Shows = {
  script: ({ rc }) => ({ rc }),
  word: ({ rc }) => String(rc),
};

/** Nothing at all where it succeeds. */
export const SHOWS_NOTHING: Shows = {
  script: ({ rc }) => (rc < 0 ? { rc } : {}),
  word: ({ rc }) => String(rc),
};

/** The values read; -1 where a signal was raised. */
export const SHOWS_READ: Shows = {
  script: ({ values }) => ({ v: values }),
  word: ({ values }) => valuesText(values),
};

/** The pages whose write raised a signal. */
export const SHOWS_SIGNALS: Shows = {
  script: ({ values }) => ({ sig: [...values.keys()].filter((at) => values[at] === -1) }),
  word: ({ values }) => values.map((value) => (value === -1 ? 'S' : 'ok')).join(','),
};

/** What a call to a device returned; `counted`: with the number of pages that it handled. */
export function showsReply(counted: boolean): Shows {
  return {
    script({ rc, cpages, faults, values }) {
      return values.length > 0 ? { rc, cpages, faults, v: values } : { rc, cpages, faults };
    },
    word({ rc, cpages, values }) {
      const count = counted ? `/${rc === 0 ? cpages : 0}` : '';
      return `${rc}${count}${values.length > 0 ? `:${valuesText(values)}` : ''}`;
    },
  };
}

/** A work request: that it was posted, its completion, the receiver's where there is one, and what was read. */
export const SHOWS_COMPLETION: Shows = {
  script({ rc, values, completions }) {
    if (completions === undefined) return { rc };
    const [wc = 0, rwc] = completions;
    const statuses = rwc === undefined ? { rc: 0, wc } : { rc: 0, wc, rwc };
    return values.length > 0 ? { ...statuses, v: values } : statuses;
  },
  word: ({ rc, values, completions }) => `${completions?.join('/') ?? rc}:${valuesText(values)}`,
};
