/** One budget: what was measured, and whether it is kept. */
export interface BudgetResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly limit: string;
  readonly kept: boolean;
}

/** A budget that must not be reached. */
export function atMost(name: string, value: number, unit: string, limit: number): BudgetResult {
  return { name, value, unit, limit: `< ${limit}`, kept: value < limit };
}

/** A budget that must be reached. */
export function atLeast(name: string, value: number, unit: string, limit: number): BudgetResult {
  return { name, value, unit, limit: `>= ${limit}`, kept: value >= limit };
}
