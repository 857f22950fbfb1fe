import { expect, test } from 'vitest';
import { defineTracepoint, tracepoint } from '@hmm/kernel';
import {
  EVENT_DEVICE_FAULT,
  EVENT_OTHER,
  EVENT_TO_DEVICE,
  EVENT_TO_HOST,
  meaningOf,
  type TracepointDeclaration,
  tracepointKind,
} from '@hmm/kernel/internal';
import { codeOf } from './code-of.js';

test('an event means what its declaration says, always or by its value', () => {
  const fault = defineTracepoint('test:fault', { value: '', means: EVENT_DEVICE_FAULT, says: 'a fault' });
  const move = defineTracepoint('test:move', {
    value: '1 to the device',
    means: (value) => (value === 1 ? EVENT_TO_DEVICE : EVENT_TO_HOST),
    says: 'pages move',
  });
  expect([meaningOf(fault, 7), meaningOf(move, 1), meaningOf(move, 0)]).toEqual([
    EVENT_DEVICE_FAULT,
    EVENT_TO_DEVICE,
    EVENT_TO_HOST,
  ]);
});

test('an event is drawn where its declaration says, else by its meaning, else under its subsystem', () => {
  const lane = (name: string, more: Partial<TracepointDeclaration>): string =>
    tracepoint(defineTracepoint(name, { value: '', means: EVENT_OTHER, says: 'something', ...more })).lane;
  expect(lane('lane:own', { lane: 'work queue' })).toBe('work queue');
  expect(lane('lane:meaning', { means: EVENT_TO_HOST })).toBe('copy engines');
  expect(lane('lane:none', {})).toBe('lane');
});

test('an event without a declared meaning or sentence is refused when it is registered', () => {
  expect(codeOf(() => defineTracepoint('test:none', { value: '', means: EVENT_OTHER, says: '' }))).toBe(
    'NO_MEANING',
  );
  // @ts-expect-error A driver in JavaScript may leave it out.
  expect(codeOf(() => defineTracepoint('test:none', { value: '', says: 'something' }))).toBe('NO_MEANING');
  // @ts-expect-error It may leave out the whole declaration.
  expect(codeOf(() => defineTracepoint('test:none'))).toBe('NO_MEANING');
  expect(tracepointKind('test:none')).toBe(-1);
});
