/** Arguments of a driver's own call; what is not needed is 0 or empty. */
export interface DeviceOperation {
  /** One of {@link DeviceFeatures.operations}: `snap`, `excl`, `dread` … */
  readonly name: string;
  readonly vpn: number;
  readonly pages: number;
  readonly value: number;
  /** Further numbers of a call that takes any, in its own order. */
  readonly operands?: readonly number[];
}

/** What a driver's own call returned. */
export interface DeviceOperationResult {
  /** 0 or a negative errno. */
  readonly rc: number;
  /** Pages that the call says it handled. */
  readonly cpages: number;
  /** Fault rounds that the call says it took. */
  readonly faults: number;
  /** Values per page, where the call returns any. */
  readonly values: readonly number[];
  /** Statuses of work completions, where the call posts work: of who posted it, and of who received. */
  readonly completions?: readonly number[];
}
