/** Where pages are or shall be. */
export type Place = 'cpu' | 'gpu';

/** Advice about a range: where it prefers to live, who maps it wherever it lives, whether it is mostly read. */
export type AdviceKind =
  'preferred' | 'accessed_by' | 'read_mostly' | 'unset_preferred' | 'unset_accessed_by' | 'unset_read_mostly';

/** Whether the client can do the job on its GPU at all, and why not. */
export type Capability =
  | { readonly ok: true; readonly features: DeviceFeatures }
  | {
      readonly ok: false;
      /** What the attempt to open it returns, negative. */
      readonly errno: number;
      /** One clause that ends a sentence: "this GPU cannot replay a fault", "firmware GSP-RM owns the GPU". */
      readonly reason: string;
    };

/** What a working client offers; a program that needs more is told so before it runs. */
export interface DeviceFeatures {
  /** Any memory of the process (malloc, stack, files) is reachable without an allocation call. */
  readonly systemMemory: boolean;
  /** Why system memory is out of reach, as a clause: "HMM needs compute capability 7.5". Absent where it is in reach, and where nothing is known of it. */
  readonly systemMemoryRefusal?: string;
  /** Why the device cannot even read memory that the process may not write, as a clause. Nothing where it can. */
  readonly readOnlyRefusal?: string;
  /** {@link DeviceProcess.managed} exists. */
  readonly managedMemory: boolean;
  /** System-scope atomics are kept coherent with the CPU. */
  readonly atomics: boolean;
  /** Pages move to device memory because the device touched them, without being asked. */
  readonly faultMigration: boolean;
  /** Advice that {@link DeviceProcess.advise} accepts. */
  readonly advice: readonly AdviceKind[];
  /** Device operations that {@link DeviceProcess.operation} accepts. */
  readonly operations: readonly string[];
  /** Device memory, pages. 0 for a mirror without memory. */
  readonly memoryPages: number;
}
