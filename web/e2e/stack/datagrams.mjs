// A way for datagrams that keeps whatever passes: to each client it looks like the server, to the server like so many clients.
import { createSocket } from 'node:dgram';

export class Datagrams {
  /** Passes on to `server` ({host, port}); `port` is where clients are to send. */
  static async open(server) {
    const one = new Datagrams();
    /** Every packet, in both directions. */
    one.seen = [];
    one.clients = new Map();
    one.socket = createSocket('udp4');
    one.socket.on('message', (packet, from) => {
      one.seen.push(packet);
      const name = `${from.address}:${from.port}`;
      if (!one.clients.has(name)) {
        const onward = createSocket('udp4');
        onward.on('message', (answer) => { one.seen.push(answer); one.socket.send(answer, from.port, from.address); });
        // A port of the server that is closed is like a packet that is lost.
        onward.on('error', () => undefined);
        one.clients.set(name, onward);
      }
      one.clients.get(name).send(packet, server.port, server.host);
    });
    await new Promise((resolve) => { one.socket.bind(0, '127.0.0.1', resolve); });
    one.port = one.socket.address().port;
    return one;
  }

  bytes() {
    return Buffer.concat(this.seen);
  }

  close() {
    for (const client of this.clients.values()) client.close();
    this.socket.close();
  }
}
