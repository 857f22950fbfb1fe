import assert from 'node:assert/strict';
import { pageText } from './browser.js';
import { serve } from './serve.js';

const { url, close } = await serve();
const text = await pageText(url);
close();
if (text === undefined) console.log('skipped: there is no Chromium');
else assert.match(text, /x = 5, \d+ faults, 1048576 bytes to the device/);
