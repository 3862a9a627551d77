// Runs the tests of every app and package that brings a vite or vitest configuration of its own.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { projects: ['packages/*', 'apps/*'], passWithNoTests: true },
});
