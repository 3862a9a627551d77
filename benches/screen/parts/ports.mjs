// Ports that nobody uses.
import { createServer } from 'node:net';

/** A free port of the loopback. */
export const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
