import type { PrefetchTree } from '@hmm/device';

/** One link of the chain behind an event. */
export interface WhyLink {
  /** What kind of link: access, fault, batch, decision, migration, replay, result. */
  readonly title: string;
  /** What happened, with the numbers that it saw. */
  readonly text: string;
  /** The rule or function behind it; '' for none. */
  readonly rule: string;
  /** The event that shows it, or -1. */
  readonly event: number;
  /** The prefetch tree that decided, if one did. */
  readonly tree?: PrefetchTreeView;
}

/** The decision of the density prefetcher about one faulted page. */
export interface PrefetchTreeView extends PrefetchTree {
  /** Pages of the block. */
  readonly pages: number;
  /** Page within the block. */
  readonly faulted: number;
  /** One a page: 0 not there, 1 resident before, 2 faulted now, 3 taken along. */
  readonly leaves: Uint8Array;
}
