/** Where pages are or shall be: on the CPU, on the device's first GPU, or on another of its GPUs by number (`gpu1` is the second). */
export type Place = 'cpu' | 'gpu' | `gpu${number}`;

/** The number of a place's GPU, from 0; -1 for the CPU. */
export function gpuOfPlace(place: Place): number {
  return place === 'cpu' ? -1 : Number(place.slice(3));
}

/** GPU number `gpu` of a device as a place. */
export function placeOfGpu(gpu: number): Place {
  return gpu === 0 ? 'gpu' : `gpu${gpu}`;
}

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
  /** Device memory, pages, of each GPU. 0 for a mirror without memory. */
  readonly memoryPages: number;
  /** GPUs that the device has; one when left out. */
  readonly gpus?: number;
}
