// Tests of the design system run in Node: they read the tokens themselves.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { name: 'ui', environment: 'node', include: ['test/**/*.test.ts'] } });
