import type { Mutant } from '@stryker-mutator/api/core';

/** A planted fault: what stands there instead of what, and the name that Stryker gives the kind of it. */
export type PlantedFault = Pick<Mutant, 'fileName' | 'location' | 'mutatorName' | 'replacement'>;

/** One fault told from all others, whatever number a run gives it. `root` is taken off the name of the file. */
export function faultKey(fault: PlantedFault, root: string): string {
  const { start, end } = fault.location;
  const file = fault.fileName.slice(fault.fileName.indexOf(root) + root.length);
  return [file, start.line, start.column, end.line, end.column, fault.mutatorName, fault.replacement].join(
    '|',
  );
}

/** Where and what, for people. Lines and columns count from 1 there. */
export function describeFault({ fileName, location, replacement, mutatorName }: PlantedFault): string {
  const file = fileName.slice(fileName.lastIndexOf('/src/') + 1);
  const short = replacement.replaceAll(/\s+/g, ' ').slice(0, 60);
  return `${file}:${location.start.line + 1}:${location.start.column + 1} ${mutatorName}: \`${short}\``;
}
