/** Width of the column of names left of everything that has a time axis, CSS pixels. */
export const GUTTER = 148;
