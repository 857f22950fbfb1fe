import type { HmmError } from '@hmm/kernel';
import type { Findings, Subtree } from '@hmm/explore';
import type { ExplorationTask, PlainSearchOptions, TestResult } from './task.js';

/** What a worker is told. */
export type WorkOrder =
  /** Explore a test, or a part of it. One at a time. */
  | {
      readonly kind: 'explore';
      readonly task: ExplorationTask;
      readonly options: PlainSearchOptions;
      readonly part: Subtree | undefined;
      /** Where those who explore this test have the states that they know together. */
      readonly states: SharedArrayBuffer | undefined;
    }
  /** Give a part of it away. */
  | { readonly kind: 'split'; readonly states: SharedArrayBuffer }
  /** Stop, and say what is left. */
  | { readonly kind: 'stop' }
  /** Make the result of a test from what was found in its parts. */
  | {
      readonly kind: 'conclude';
      readonly task: ExplorationTask;
      readonly options: PlainSearchOptions;
      readonly findings: Findings;
    };

/** What a worker says. */
export type WorkReport =
  /** It goes on, and has run so many executions of its part. */
  | { readonly kind: 'goes-on'; readonly executions: number }
  /** The part that it was asked to give away; undefined where there is none now. */
  | { readonly kind: 'split'; readonly part: Subtree | undefined }
  /** It has explored its part, or was stopped, or is at a limit. */
  | {
      readonly kind: 'explored';
      readonly findings: Findings;
      readonly left: readonly Subtree[];
      /** Where the part was the whole test. */
      readonly result: TestResult | undefined;
    }
  | { readonly kind: 'concluded'; readonly result: TestResult }
  /** The test cannot be set up. */
  | {
      readonly kind: 'refused';
      readonly code: string;
      readonly message: string;
      readonly data: HmmError['data'];
    }
  /** The worker has a defect. */
  | { readonly kind: 'broken'; readonly stack: string };
