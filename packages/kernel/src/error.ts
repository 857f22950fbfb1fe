/** Plain data that travels with an {@link HmmError}. */
export type HmmErrorData = Readonly<Record<string, string | number | boolean>>;

/**
 * The one exception of the project: misuse of an interface, or a broken invariant of the model.
 * Expected outcomes (a fault, a retry, an errno) are values and never take this way.
 *
 * `code` is stable and meant for programs; `data` holds the values concerned; `message` is for people.
 */
export class HmmError extends Error {
  /** Stable, upper-case identifier such as `LOCK_ORDER` or `OUT_OF_FRAMES`. */
  readonly code: string;
  /** The values concerned. */
  readonly data: HmmErrorData;

  constructor(code: string, message: string, data: HmmErrorData = {}) {
    super(message);
    this.name = 'HmmError';
    this.code = code;
    this.data = data;
  }
}

/**
 * Throws an {@link HmmError} with `code` unless `condition` holds. For conditions whose failure is a defect
 * of the caller, on paths that do not run per page.
 */
export function assertHmm(
  condition: boolean,
  code: string,
  message: string,
  data?: HmmErrorData,
): asserts condition {
  if (!condition) throw new HmmError(code, message, data);
}
