import type { Kernel, Release } from '@hmm/kernel';
import type { MemorySystem } from '@hmm/mm';
import type { DeviceClient } from './device-client.js';
import type { DriverSteps, FunctionNaming, PrefetchQuestion, PrefetchTree } from './driver-steps.js';

/** What a client is made in. */
export interface ClientHost {
  readonly kernel: Kernel;
  readonly memory: MemorySystem;
  /** Seed of everything that hardware does by chance. */
  readonly seed: number;
  /** Given where all interleavings are explored, and time is nothing. */
  readonly exploration?: ClientExploration;
}

/** What a client has to know that is explored. */
export interface ClientExploration {
  /**
   * The object under which the scheduler's observer sees the client's own state. Whoever explores reports it for each step of a call
   * of the client; the client reports it (`Sched.access`) where the kernel calls back: from invalidations, faults, freed pages.
   */
  readonly object: number;
}

/** A client, or why there is none: one line for the user, naming what was expected. */
export type ClientResult<C extends DeviceClient = DeviceClient> =
  { readonly ok: true; readonly client: C } | { readonly ok: false; readonly message: string };

/** A factory, or what is wrong with the text that it was to be made by: one line. */
export type FactoryResult<C extends DeviceClient = DeviceClient> =
  | { readonly ok: true; readonly factory: ClientFactory<C> }
  | { readonly ok: false; readonly message: string };

/** How an application makes a client of a driver. A driver may name its own class of client. */
export interface ClientFactory<C extends DeviceClient = DeviceClient> {
  /** For `--client`. */
  readonly name: string;
  /** For people: the driver, and the release that is modelled. */
  readonly title: string;
  /** GPU presets that it knows, the default first. Includes those it will refuse with a reason. */
  readonly gpus: readonly string[];
  /** Settings that `--set` takes, with a sentence each. */
  readonly settings: Readonly<Record<string, string>>;
  /** What sets it apart, by topic: the rule of this driver behind each difference in a comparison. */
  readonly rules: DriverRules;
  /** The functions behind its steps, for explanations. */
  readonly steps: DriverSteps;
  /** The names of its functions, where they are not the model's own, transliterated. */
  readonly naming?: FunctionNaming;
  /** How its prefetcher by density decides about a fault, where it has one; undefined where that takes no part. */
  prefetchTree?(question: PrefetchQuestion): PrefetchTree | undefined;
  /** The release that the driver's own settings ask for, where it has such a one. */
  release?(settings: ReadonlyMap<string, string>): Release | undefined;
  /** Names of the behaviours that the driver's releases differ in, beside the core's. */
  readonly behaviours?: readonly string[];
  /** The same driver with the costs of a cost file's text, where its times can come from one; they decide nothing. */
  withCosts?(text: string): FactoryResult<C>;
  /** Makes one on `gpu`, with `settings` by name. */
  create(host: ClientHost, gpu: string, settings: ReadonlyMap<string, string>): ClientResult<C>;
}

/** One sentence a topic: what the driver does, and by which rule. */
export interface DriverRules {
  /** A GPU fault on a page that the CPU has. */
  readonly gpuFault: string;
  /** Memory that nobody has touched yet. */
  readonly firstTouch: string;
  /** A CPU fault on a page in device memory. */
  readonly cpuFault: string;
  /** How many pages a fault brings. */
  readonly granularity: string;
  /** Both sides using the same pages. */
  readonly sharing: string;
  /** More data than device memory. */
  readonly oversubscription: string;
  /** System-scope atomics. */
  readonly atomics: string;
  /** A process forks while the device uses its memory. */
  readonly fork: string;
  /** Explicit requests. */
  readonly hints: string;
  /** An address that is not there, or not any more. */
  readonly badAddress: string;
}
