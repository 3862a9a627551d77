// A website in hostile hands as an applet meets it: HTTPS at an address of its own, answers of the true website passed on, some of
// them changed.
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:https';

export class Impostor {
  /**
   * Listens at `port` with this pair of PEM files, and passes requests on to `website` (host and port). `change(path, body)` answers
   * what is said in place of an answer's text.
   */
  static async open({ certificate, key, port, website, change = (_, body) => body }) {
    const impostor = new Impostor();
    /** Paths that were asked for. */
    impostor.asked = [];
    impostor.server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (asked, answer) => {
      impostor.asked.push(asked.url);
      const onward = request({ ...website, path: asked.url, method: asked.method, headers: { ...asked.headers, host: `localhost:${website.port}` }, rejectUnauthorized: false }, (told) => {
        const pieces = [];
        told.on('data', (piece) => pieces.push(piece));
        told.on('end', () => {
          const body = Buffer.from(change(asked.url, Buffer.concat(pieces).toString('utf8')));
          answer.writeHead(told.statusCode, { 'content-type': told.headers['content-type'] ?? 'text/plain', 'content-length': body.length });
          answer.end(body);
        });
      });
      onward.on('error', () => answer.destroy());
      asked.pipe(onward);
    });
    await new Promise((resolve, reject) => { impostor.server.once('error', reject); impostor.server.listen(port, '127.0.0.1', resolve); });
    return impostor;
  }

  close() {
    this.server.closeAllConnections();
    return new Promise((resolve) => { this.server.close(resolve); });
  }
}
