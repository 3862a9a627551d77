// Public face of the HTTP client.
export * from './client';
