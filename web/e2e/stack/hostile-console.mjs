// A console without manners, run inside the real page: the product's own seal and link, and no regard for grants.
import { Channel } from '../../packages/session/src/channel.ts';
import { decodeMessage } from '../../packages/session/src/wire/message.ts';

const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
const unhex = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));

/** Joins a session with a technician's own connection. `withCharter` false: does not even say who it is. */
globalThis.hostileConsole = async (connection, account, withCharter) => {
  const heard = [];
  const channel = await new Promise((resolve, reject) => {
    const options = {
      gateways: connection.gateways, role: 'console', account, credential: bytes(connection.ticket), binding: unhex(connection.binding),
      version: '0.0.0', platform: 'hostile',
    };
    const made = new Channel(options, {
      secured: () => resolve(made),
      message: (message) => { heard.push(told(message)); },
      broken: (error) => { heard.push({ kind: 'broken', error: String(error) }); },
      closed: (error) => { heard.push({ kind: 'closed', error: String(error) }); reject(error); },
      partnerLeft: (reason) => { heard.push({ kind: 'partner_left', reason }); },
    });
  });
  if (withCharter) channel.send({ kind: 'charter', document: bytes(connection.charter.document), signature: bytes(connection.charter.signature) });
  globalThis.hostile = {
    heard,
    send: (message) => channel.send({ ...message, ...(message.line ? { line: Uint8Array.from(message.line) } : {}) }),
    raw: (of, message) => channel.sendBytes(of, Uint8Array.from(message)),
    bye: () => channel.bye('closed'),
  };
};

function told(message) {
  try { return decodeMessage(message); } catch (error) { return { kind: 'undecodable', error: String(error) }; }
}
