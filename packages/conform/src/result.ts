/** Operations counted for one family of scripts. */
export interface FamilyResult {
  scripts: number;
  scripts_matched: number;
  ops: number;
  matched: number;
}

/** An operation that showed something else than was recorded. */
export interface Mismatch {
  readonly script: string;
  /** Line of the corpus, from 1. */
  readonly line: number;
  readonly op: string;
  readonly expected: unknown;
  readonly got: unknown;
}

/** The outcome of a replay, as it is printed: stable, by version. */
export interface ConformResult {
  readonly version: 1;
  scripts: number;
  ops: number;
  matched: number;
  readonly families: Record<string, FamilyResult>;
  /** The first 20. */
  readonly mismatches: Mismatch[];
}

const MAX_MISMATCHES = 20;

/** A result in which nothing has been counted. */
export function emptyConformResult(): ConformResult {
  return { version: 1, scripts: 0, ops: 0, matched: 0, families: {}, mismatches: [] };
}

/** Adds the counts of `from`, and what mismatches there is room for, to `into`. */
export function addConformResult(into: ConformResult, from: ConformResult): void {
  into.scripts += from.scripts;
  into.ops += from.ops;
  into.matched += from.matched;
  for (const [name, family] of Object.entries(from.families)) {
    const sum = familyOf(into, name);
    sum.scripts += family.scripts;
    sum.scripts_matched += family.scripts_matched;
    sum.ops += family.ops;
    sum.matched += family.matched;
  }
  for (const mismatch of from.mismatches) {
    if (into.mismatches.length < MAX_MISMATCHES) into.mismatches.push(mismatch);
  }
}

/** The counts of the family called `name`, made when it is new. */
function familyOf(result: ConformResult, name: string): FamilyResult {
  return (result.families[name] ??= { scripts: 0, scripts_matched: 0, ops: 0, matched: 0 });
}

/** Counts the operations of one script after the other. */
export class ConformTally {
  readonly result = emptyConformResult();
  private script = '';
  private family: FamilyResult | undefined;
  private intact = true;

  /** A script begins; its operations count if it is judged. */
  begin(script: string, family: string, judged: boolean): void {
    this.script = script;
    this.intact = true;
    this.family = judged ? familyOf(this.result, family) : undefined;
    if (this.family === undefined) return;
    this.family.scripts++;
    this.result.scripts++;
  }

  /**
   * Counts an operation. What follows a mismatch starts from another state than the recording: it counts as not matched,
   * and only the first mismatch of a script is kept.
   */
  count(same: boolean, line: number, op: string, expected: unknown, got: unknown): void {
    const { family, result, script } = this;
    if (family === undefined) return;
    family.ops++;
    result.ops++;
    if (!same && this.intact && result.mismatches.length < MAX_MISMATCHES)
      result.mismatches.push({ script, line, op, expected, got });
    if (!same) this.intact = false;
    if (!this.intact) return;
    family.matched++;
    result.matched++;
  }

  /** The script is over. */
  end(): void {
    if (this.family !== undefined && this.intact) this.family.scripts_matched++;
    this.family = undefined;
  }
}
