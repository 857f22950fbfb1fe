/**
 * How a driver's steps are told: which of its functions, or of the kernel's, is behind each kind of event. One clause each,
 * which begins with the function's own name.
 */
export interface DriverSteps {
  /** Reads a fault record of the device. */
  readonly deviceFault: string;
  /** Serves a CPU fault on a page in device memory, or on memory of its own. */
  readonly cpuFault: string;
  /** Serves a batch of records. */
  readonly batch: string;
  /** Moves pages. */
  readonly migration: string;
  /** Enters pages in the device's page table. */
  readonly mapping: string;
  /** Finds that what it looked up is stale. */
  readonly retry: string;
  /** Has the device do the waiting accesses again. */
  readonly replay: string;
  /** Parts of the names of its functions that make data reachable: where one runs, the fault is being resolved. */
  readonly resolving: readonly string[];
}

/** What a driver is asked about one fault: which pages around it it takes along. */
export interface PrefetchQuestion {
  /** A byte for each page of the aligned 2 MiB around the fault, 1 where it was resident on the destination before. */
  readonly resident: Uint8Array;
  /** As above: 1 where this batch has a fault. */
  readonly faulted: Uint8Array;
  /** The page that is asked about, in these 2 MiB. */
  readonly page: number;
  /** The driver's settings in force. */
  readonly settings: ReadonlyMap<string, string>;
}

/** A node of the tree over the pages, on the way from the faulted page to the root. */
export interface PrefetchTreeLevel {
  /** Pages that the node covers: [first, first + pages). */
  readonly first: number;
  readonly pages: number;
  /** Of these, resident on the destination or faulted now. */
  readonly set: number;
  /** Whether `set` is more than the threshold's share. */
  readonly dense: boolean;
}

/** How a prefetcher by density decides about one fault: the largest dense node is taken along. */
export interface PrefetchTree {
  /** Percent that must be exceeded. */
  readonly threshold: number;
  /** From the leaf to the root. */
  readonly levels: readonly PrefetchTreeLevel[];
}

/**
 * Under which names the kernel or the driver knows the functions of a driver's model, for stories that are told from the
 * call stack. What is not named here is transliterated: `svmFaultCancel` is `svm_fault_cancel`.
 */
export interface FunctionNaming {
  /** Functions that the original has under another name, or as a part of another one. */
  readonly functions: Readonly<Record<string, string>>;
  /** Methods, by `Class.method`. */
  readonly methods: Readonly<Record<string, string>>;
  /** Functions and methods of the model alone: whoever called them is named instead. */
  readonly unnamed: readonly string[];
}
