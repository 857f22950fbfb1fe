import { Prng } from '@hmm/kernel';
import type { PlantedFault } from './place.js';

/** Faults drawn at random. */
export interface Sample {
  readonly faults: readonly PlantedFault[];
  /** Faults drawn that the compiler refuses. */
  readonly refused: number;
}

/**
 * Draws faults in a random order until `size` of them are valid, or none is left.
 * @param valid whether the compiler accepts a fault.
 */
export function drawSample(
  all: readonly PlantedFault[],
  size: number,
  seed: number,
  valid: (fault: PlantedFault) => boolean,
): Sample {
  const prng = new Prng(seed);
  const left = [...all];
  const faults: PlantedFault[] = [];
  let refused = 0;
  while (faults.length < size && left.length > 0) {
    const at = prng.below(left.length);
    const fault = left[at];
    const last = left.pop();
    if (fault === undefined || last === undefined) break;
    if (at < left.length) left[at] = last;
    if (valid(fault)) faults.push(fault);
    else refused++;
  }
  return { faults, refused };
}
