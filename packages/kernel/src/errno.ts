/**
 * Error numbers of `include/uapi/asm-generic/errno-base.h` and `errno.h`, as positive integers.
 * Modelled kernel functions return them negated, as the kernel does (`return -EBUSY`).
 *
 * @packageDocumentation
 */

export const EPERM = 1;
export const ENOENT = 2;
export const ESRCH = 3;
export const EINTR = 4;
export const EIO = 5;
export const ENXIO = 6;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENOTTY = 25;
export const ENOSPC = 28;
export const ENOSYS = 38;
export const EOVERFLOW = 75;
export const EOPNOTSUPP = 95;
export const ETIMEDOUT = 110;

const VALUES = new Map<string, number>(
  Object.entries({
    EPERM,
    ENOENT,
    ESRCH,
    EINTR,
    EIO,
    ENXIO,
    EBADF,
    EAGAIN,
    ENOMEM,
    EACCES,
    EFAULT,
    EBUSY,
    EEXIST,
    ENODEV,
    EINVAL,
    ENOTTY,
    ENOSPC,
    ENOSYS,
    EOVERFLOW,
    EOPNOTSUPP,
    ETIMEDOUT,
  }),
);
const NAMES = new Map([...VALUES].map(([name, value]) => [value, name]));

/**
 * The symbol of an error number of either sign: `errnoName(-16)` is `'EBUSY'`.
 * A number without a symbol comes back as its decimal digits, 0 as `'0'`.
 */
export function errnoName(errno: number): string {
  return NAMES.get(Math.abs(errno)) ?? String(Math.abs(errno));
}

/** The positive error number called `name`, or undefined: `errnoValue('EBUSY')` is 16. */
export function errnoValue(name: string): number | undefined {
  return VALUES.get(name);
}
