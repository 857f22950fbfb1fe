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

/** A node of the prefetcher's tree on the way from the faulted page to the root. */
export interface TreeLevel {
  /** Pages that the node covers: [first, first + pages) of the block. */
  readonly first: number;
  readonly pages: number;
  /** Of these, resident on the destination or faulted now. */
  readonly set: number;
  /** Whether `set` is more than the threshold's share. */
  readonly dense: boolean;
}

/** The decision of the density prefetcher about one faulted page. */
export interface PrefetchTreeView {
  /** Percent that must be exceeded. */
  readonly threshold: number;
  /** Pages of the block. */
  readonly pages: number;
  /** Page within the block. */
  readonly faulted: number;
  /** One a page: 0 not there, 1 resident before, 2 faulted now, 3 taken along. */
  readonly leaves: Uint8Array;
  /** From the leaf to the root. */
  readonly levels: readonly TreeLevel[];
}
