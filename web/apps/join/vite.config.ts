// Builds the join page: small, for old phones, every style and script a file of its own (strict CSP).
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { mockApi } from './test/mock-api.ts';

// What a strict server says; `vite preview --mode mock` says it too, so that a violation shows before the server does.
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
  "manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

export default defineConfig(({ mode }) => ({
  base: '/join/',
  plugins: [svelte({ configFile: false }), ...(mode === 'mock' ? [mockApi()] : [])],
  build: { target: ['es2020', 'chrome87', 'firefox78', 'safari14'], assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  preview: { headers: { 'content-security-policy': contentSecurityPolicy } },
  test: { name: 'join', environment: 'node', include: ['test/**/*.test.ts'] },
}));
