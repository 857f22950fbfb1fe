export * from './program/index.js';
