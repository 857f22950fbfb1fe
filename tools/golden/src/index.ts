/// <reference types="node" />
/**
 * The recordings of real systems that the models are judged by.
 * @packageDocumentation
 */
export * from './files.js';
export * from './json-lines.js';
export * from './records.js';
