import { defineConfig } from 'vite';
import { viteSingleFile } from 'vite-plugin-singlefile';

// Two outputs: a folder for any static host, and (mode "single") one self-contained HTML file, whose scripts are inline
// and whose Content-Security-Policy says so.
export default defineConfig(({ mode }) => {
  const single = mode === 'single';
  return {
    base: './',
    resolve: { conditions: ['@hmm/source', 'module', 'browser', 'import', 'default'] },
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    // Function names are data here: step mode shows which kernel functions a step ran through.
    // A page opened from a file may start classic workers only.
    worker: { format: single ? 'iife' : 'es', rolldownOptions: { output: { keepNames: true } } },
    build: {
      target: 'es2022',
      outDir: single ? 'dist-single' : 'dist',
      sourcemap: !single,
      modulePreload: { polyfill: false },
      ...(single ? { assetsInlineLimit: 100_000_000, cssCodeSplit: false } : {}),
    },
    plugins: single
      ? [
          viteSingleFile(),
          {
            name: 'inline-worker',
            enforce: 'pre' as const,
            transform: (code: string, id: string) =>
              id.endsWith('/src/main.tsx') ? code.replace('?worker', '?worker&inline') : undefined,
          },
          {
            name: 'inline-policy',
            transformIndexHtml: (html: string) =>
              html
                .replace("script-src 'self'", "script-src 'unsafe-inline' blob: data:")
                .replace("worker-src 'self' blob:", 'worker-src blob: data:'),
          },
        ]
      : [],
  };
});
