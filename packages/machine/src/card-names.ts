/** Between a device's name and the number of a further card of it: nothing that a program can name. */
export const CARD = ':';
