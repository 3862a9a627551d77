// Builds the technician console; every style and script is a file of its own (strict CSP).
// `--mode mock` replaces the website and the session by stand-ins, for looking at pages without a server.
import { fileURLToPath } from 'node:url';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { mockApi } from './test/mock-api.ts';

const fakeSession = fileURLToPath(new URL('./test/fake-session.ts', import.meta.url));

// What a strict server says; `vite preview --mode mock` says it too, so that a violation shows before the server does.
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

export default defineConfig(({ mode }) => ({
  base: '/console/',
  plugins: [svelte({ configFile: false }), ...(mode === 'mock' ? [mockApi()] : [])],
  resolve: mode === 'mock' ? { alias: { '@belay/session': fakeSession } } : {},
  build: { target: 'es2022', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  worker: { format: 'es' },
  preview: { headers: { 'content-security-policy': contentSecurityPolicy } },
  test: { name: 'console', environment: 'node', include: ['test/**/*.test.ts'] },
}));
