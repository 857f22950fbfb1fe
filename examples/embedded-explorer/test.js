import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { pageText } from './browser.js';
import { serve } from './serve.js';

assert.ok(existsSync('node_modules/@hmm/compare/dist/explorer/index.html'), 'the package has the page');
const { url, close } = await serve();
const text = await pageText(url);
close();
if (text === undefined) console.log('skipped: there is no Chromium');
else assert.match(text, /<title>shown: .*nvidia/i);
