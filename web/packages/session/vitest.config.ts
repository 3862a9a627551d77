// The tests run in Node: nothing in this package needs a browser except its canvas, cursor and input modules.
import { defineConfig } from 'vitest/config';

export default defineConfig({ test: { name: 'session', include: ['test/**/*.test.ts'], environment: 'node', testTimeout: 20_000 } });
