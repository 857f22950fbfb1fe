/// <reference types="node" />
/**
 * The recordings of real systems that the models are judged by.
 * @packageDocumentation
 */
export * from './collection.js';
export * from './files.js';
export * from './formats.js';
export * from './json-lines.js';
export * from './records.js';
