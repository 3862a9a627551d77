// Builds the join page: small, for old phones, every style and script a file of its own (strict CSP).
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';
import { mockApi } from './test/mock-api.ts';

export default defineConfig(({ mode }) => ({
  base: '/join/',
  plugins: [svelte(), ...(mode === 'mock' ? [mockApi()] : [])],
  build: { target: ['es2020', 'chrome87', 'firefox78', 'safari14'], assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  test: { name: 'join', environment: 'node', include: ['test/**/*.test.ts'] },
}));
