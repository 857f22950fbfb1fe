/**
 * Mellanox's mlx5 driver with on-demand paging, from reading only: faults by event, an adapter's table that the driver rewrites in
 * groups, implicit regions with leaves.
 * @packageDocumentation
 */
export { Mlx5Client, Mlx5Driver, mlx5Factory } from './mlx5-client.js';
export * from './mlx5-device.js';
export * from './mlx5-mr.js';
export * from './mr.js';
export * from './odp-eq.js';
export * from './options.js';
