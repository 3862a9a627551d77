// Tests of the catalogues run in Node.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { name: 'messages', environment: 'node', include: ['test/**/*.test.ts'] } });
