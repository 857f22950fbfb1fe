import { type AccessCost, type Figure, figure, type LinkCost } from './cost.js';

/** The H100's own figures: dependent chains, atomics, streams and copies timed on the recorded machine. */
export const H100_ACCESS: AccessCost = {
  localRead: figure(200, 'measured', 'traced chain of one load a page, launch excluded'),
  localWrite: figure(810, 'measured', 'store and system fence'),
  localAtomic: figure(210, 'measured'),
  remoteRead: figure(1350, 'measured'),
  remoteWrite: figure(750, 'measured'),
  remoteAtomic: figure(1500, 'measured'),
  localGBs: figure(2950, 'measured', 'grid-stride read'),
  remoteGBs: figure(51, 'measured', 'grid-stride read of host memory'),
};

/** The link of the recorded machine. */
export const PCIE5_H100: LinkCost = {
  name: 'PCIe 5 x16',
  toDeviceBase: figure(2470, 'measured', 'a transfer inside a driver push'),
  toDeviceGBs: figure(53.4, 'measured'),
  toHostBase: figure(1450, 'measured', 'a transfer inside a driver push'),
  toHostGBs: figure(55.6, 'measured'),
};

/** A link whose bandwidth is published; the fixed part of a transfer is taken over from the measured one. */
function link(name: string, gbs: Figure): LinkCost {
  return {
    name,
    toDeviceBase: figure(2470, 'estimate', 'as on the measured H100'),
    toDeviceGBs: gbs,
    toHostBase: figure(1450, 'estimate', 'as on the measured H100'),
    toHostGBs: gbs,
  };
}

/** Of Kepler to Turing. */
export const PCIE3 = link(
  'PCIe 3 x16',
  figure(12, 'paper', 'UVMSmart, ISCA 2019: asymptote of 16 GB/s links'),
);
/** Of Ampere and Ada. */
export const PCIE4 = link(
  'PCIe 4 x16',
  figure(24, 'paper', 'UVMSmart, ISCA 2019: asymptote of 32 GB/s links'),
);
/** Of Blackwell. */
export const PCIE5 = link('PCIe 5 x16', figure(53, 'measured', 'on an H100; the same link'));
/** Between Grace and its GPU. */
export const C2C: LinkCost = {
  name: 'NVLink-C2C',
  toDeviceBase: figure(2470, 'estimate', 'as on the measured H100'),
  toDeviceGBs: figure(375, 'paper', 'KTH Grace Hopper study, ICPP 2024'),
  toHostBase: figure(1450, 'estimate', 'as on the measured H100'),
  toHostGBs: figure(297, 'paper', 'KTH Grace Hopper study, ICPP 2024'),
};

/** Access costs scaled from the measured ones: local by memory latency class, remote by the link. Bandwidths in GB/s. */
export function accessCost(
  local: number,
  remote: number,
  localGBs: number | Figure,
  remoteGBs: number,
): AccessCost {
  const scaled = (f: Figure, by: number): Figure =>
    figure(f.value * by, 'estimate', `H100's, scaled by ${by}`);
  return {
    localRead: scaled(H100_ACCESS.localRead, local),
    localWrite: scaled(H100_ACCESS.localWrite, local),
    localAtomic: scaled(H100_ACCESS.localAtomic, local),
    remoteRead: scaled(H100_ACCESS.remoteRead, remote),
    remoteWrite: scaled(H100_ACCESS.remoteWrite, remote),
    remoteAtomic: scaled(H100_ACCESS.remoteAtomic, remote),
    localGBs: typeof localGBs === 'number' ? figure(localGBs, 'vendor', 'peak memory bandwidth') : localGBs,
    remoteGBs: figure(remoteGBs, 'estimate', 'the link'),
  };
}
