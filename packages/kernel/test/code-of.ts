import { HmmError } from '@hmm/kernel';

/** The code of the `HmmError` that `run` throws, 'none' when it throws nothing. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof HmmError) return error.code;
    throw error;
  }
  return 'none';
}
