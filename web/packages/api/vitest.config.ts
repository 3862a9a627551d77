// Tests of the HTTP client run in Node against a fetch of their own.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { name: 'api', environment: 'node', include: ['test/**/*.test.ts'] } });
