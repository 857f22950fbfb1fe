export * from './nouveau-drm-uapi.js';
export * from './nouveau-options.js';
export * from './nvkm-device.js';
export * from './nvkm-firmware.js';
